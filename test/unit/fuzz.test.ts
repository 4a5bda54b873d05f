/**
 * What comes from a network or a device may be anything. Every parser of such bytes, given valid ones with random
 * damage, comes to an end with a value or a BrickError. The damage is the same in each run.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BrickError } from '../../lib/errors.ts'
import { parseTargets } from '../../lib/iscsi/discovery.ts'
import { encodeRequest, opcodes, readResponses } from '../../lib/iscsi/pdu.ts'
import { portalAt } from '../../lib/iscsi/portal.ts'
import { decodeAnswer, decodeText, encodeText } from '../../lib/iscsi/text.ts'
import { parseActiveNamespaces, parseController, parseNamespace, parseNamespaceNames } from '../../lib/nvme/identify.ts'
import { parseAnaLog, parseDiscoveryHeader, parseDiscoveryRecords } from '../../lib/nvme/log-pages.ts'
import { checkInitialization, encodeInitialization, readCompletion, readData, readPdus } from '../../lib/nvme/pdu.ts'
import { parsePage80, parsePage83 } from '../../lib/scsi/designators.ts'
import { parseInquiry, parseReadCapacity16, parseReportLuns } from '../../lib/scsi/responses.ts'
import { header, record } from './fake-discovery.ts'

const rounds = 1000
const portal = portalAt('10.0.0.1', '3260')
const targets = encodeText([
  ['TargetName', 'iqn.2026-11.example:one'],
  ['TargetAddress', '10.0.0.1:3260,1'],
  ['TargetAddress', '[fd00::1]:3260,2'],
])
const loginAnswer = encodeRequest(
  {
    opcode: opcodes.loginResponse,
    immediate: false,
    flags: 0x87,
    taskTag: 1,
    transferTag: 0,
    command: 7,
    data: targets,
  },
  3,
)
const naa = [1, 3, 0, 16, 0x60, 1, 0x40, 5, ...Array<number>(12).fill(7)]
const t10 = [2, 1, 0, 8, ...Buffer.from('LIO-ORG ')]

const parsers: Record<string, { valid: Buffer; parse: (bytes: Buffer) => unknown }> = {
  'iSCSI PDUs': {
    valid: Buffer.concat([loginAnswer, loginAnswer]),
    parse: (bytes) => all(readResponses(inPieces(bytes))),
  },
  'iSCSI texts': { valid: targets, parse: decodeText },
  'answers in a login': { valid: encodeText([['AuthMethod', 'CHAP']]), parse: decodeAnswer },
  'answers to SendTargets': { valid: targets, parse: (bytes) => parseTargets(bytes, portal) },
  'NVMe/TCP PDUs': { valid: Buffer.concat([initialized(), completion(), completion()]), parse: nvmePdus },
  'NVMe discovery headers': { valid: header(5n, 3), parse: parseDiscoveryHeader },
  'NVMe discovery records': {
    valid: Buffer.concat([
      record({ nqn: 'nqn.a', transport: 3, family: 2, traddr: '10.0.0.1', trsvcid: '4420' }),
      record({}),
    ]),
    parse: parseDiscoveryRecords,
  },
  'NVMe ANA logs': { valid: anaLog(), parse: parseAnaLog },
  'NVMe controllers': { valid: Buffer.alloc(4096, 0x41), parse: parseController },
  'NVMe namespaces': { valid: Buffer.alloc(4096, 1), parse: parseNamespace },
  'NVMe names': {
    valid: Buffer.concat([Buffer.from([3, 16, 0, 0]), Buffer.alloc(4092, 1)]),
    parse: parseNamespaceNames,
  },
  'NVMe active namespaces': { valid: Buffer.alloc(4096, 1), parse: parseActiveNamespaces },
  'SCSI device identification': {
    valid: Buffer.from([0, 0x83, 0, naa.length + t10.length, ...naa, ...t10]),
    parse: parsePage83,
  },
  'SCSI serial numbers': { valid: Buffer.from([0, 0x80, 0, 4, 65, 66, 67, 68]), parse: parsePage80 },
  'SCSI inquiries': { valid: Buffer.alloc(36, 32), parse: parseInquiry },
  'SCSI lists of LUNs': {
    valid: Buffer.from([0, 0, 0, 16, 0, 0, 0, 0, ...Array<number>(16).fill(0)]),
    parse: parseReportLuns,
  },
  'SCSI capacities': { valid: Buffer.alloc(32, 1), parse: parseReadCapacity16 },
}

describe('random damage', () => {
  for (const [name, { valid, parse }] of Object.entries(parsers)) {
    it(`to ${name} is a value or a BrickError`, async () => {
      const random = generator(1)
      for (let round = 0; round < rounds; round++) {
        const bytes = damaged(valid, random)
        try {
          await parse(bytes)
        } catch (error) {
          assert.ok(error instanceof BrickError, `${String(error)} for ${bytes.toString('hex').slice(0, 400)}`)
        }
      }
    })
  }
})

async function nvmePdus(bytes: Buffer): Promise<void> {
  for (const pdu of await all(readPdus(inPieces(bytes)))) {
    for (const read of [checkInitialization, readCompletion, readData]) {
      try {
        read(pdu)
      } catch (error) {
        if (!(error instanceof BrickError)) throw error
      }
    }
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** A connection hands out what it has, wherever a PDU ends. */
async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 61) yield await Promise.resolve(bytes.subarray(at, at + 61))
}

/** Bytes changed, four at once set to a number at an edge, cut off, or a part of them twice. */
function damaged(valid: Buffer, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(valid)
  for (let times = random(4); times >= 0; times--) {
    const at = random(bytes.length + 1)
    switch (random(4)) {
      case 0:
        if (at < bytes.length) bytes[at] = random(256)
        break
      case 1:
        if (at + 4 <= bytes.length) bytes.writeUInt32BE([0, 1, 0x7fffffff, 0xffffffff][random(4)] ?? 0, at)
        break
      case 2:
        bytes = bytes.subarray(0, at)
        break
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random(at + 1))])
    }
  }
  return bytes
}

/** Numbers from 0 on, below what is asked for: xorshift, of Marsaglia. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

function initialized(): Buffer {
  const pdu = encodeInitialization()
  pdu.writeUInt8(1, 0)
  return pdu
}

function completion(): Buffer {
  const pdu = Buffer.alloc(24)
  pdu.writeUInt8(5, 0)
  pdu.writeUInt8(24, 2)
  pdu.writeUInt32LE(24, 4)
  return pdu
}

/** One group with one namespace. */
function anaLog(): Buffer {
  const log = Buffer.alloc(16 + 32 + 4)
  log.writeUInt16LE(1, 8)
  log.writeUInt32LE(1, 16)
  log.writeUInt32LE(1, 20)
  log.writeUInt8(1, 32)
  log.writeUInt32LE(1, 48)
  return log
}
