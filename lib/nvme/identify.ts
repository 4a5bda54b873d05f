import { BrickError } from '../errors.ts'
import { hyphenated } from './names.ts'

// Answers to the Identify command: NVM Express Base Specification 2.0, 5.17, and for namespaces NVM Command Set
// Specification 1.0, 4.1.5. The kernel's names and offsets are in include/linux/nvme.h.
// Every parser throws BrickError SYSTEM for a malformed answer.

const structureSize = 4096

/** What a controller says of itself (figure 275 of the base specification). */
export interface ControllerIdentity {
  /** CNTLID. */
  readonly controllerId: number
  readonly serial: string
  readonly model: string
  readonly firmware: string
  readonly subsystemNqn: string
  /** Whether the subsystem may have more than one controller: only then the kernel makes a multipath device. */
  readonly multipleControllers: boolean
  /** Whether it reports how well it reaches namespaces (asymmetric namespace access). */
  readonly ana: boolean
  /** NANAGRPID: how many ANA groups there are. */
  readonly anaGroups: number
  /** Whether it tells of namespaces that come, change or go. */
  readonly announcesNamespaces: boolean
}

/** What a controller says of a namespace (figure 97 of the command set specification). */
export interface NamespaceIdentity {
  /** NSZE. */
  readonly blocks: bigint
  /** Bytes of a logical block in the format that is in use. */
  readonly blockSize: number
  readonly bytes: bigint
  /** 32 hexadecimal digits; null when it has none. */
  readonly nguid: string | null
  /** 16 hexadecimal digits. */
  readonly eui64: string | null
  /** Whether more than one controller may reach it. */
  readonly shared: boolean
  readonly anaGroup: number
}

/** A namespace's names (figure 277 of the base specification). Null for those that it does not have. */
export interface NamespaceNames {
  readonly eui64: string | null
  readonly nguid: string | null
  readonly uuid: string | null
  /** The command set: 0 NVM, 2 zoned; null when it does not say. */
  readonly commandSet: number | null
}

export function parseController(answer: Buffer): ControllerIdentity {
  need(answer, 'a controller')
  const cmic = answer.readUInt8(76)
  return {
    controllerId: answer.readUInt16LE(78),
    serial: text(answer, 4, 24),
    model: text(answer, 24, 64),
    firmware: text(answer, 64, 72),
    subsystemNqn: text(answer, 768, 1024),
    multipleControllers: (cmic & 0x02) !== 0,
    ana: (cmic & 0x08) !== 0,
    anaGroups: answer.readUInt32LE(348),
    announcesNamespaces: (answer.readUInt32LE(92) & 0x100) !== 0,
  }
}

/** Null when no namespace has that number here: the answer is all zeros then. */
export function parseNamespace(answer: Buffer): NamespaceIdentity | null {
  need(answer, 'a namespace')
  if (answer.every((byte) => byte === 0)) return null
  const flbas = answer.readUInt8(26)
  // Bits 6:5 are above bits 3:0, and mean nothing where there are sixteen formats or fewer.
  const format = (flbas & 0x0f) | (answer.readUInt8(25) > 15 ? (flbas & 0x60) >> 1 : 0)
  const exponent = answer.readUInt8(128 + format * 4 + 2)
  if (exponent < 9 || exponent > 30) throw malformed('a namespace', `blocks of 2^${exponent} bytes`)
  const blocks = answer.readBigUInt64LE(0)
  return {
    blocks,
    blockSize: 2 ** exponent,
    bytes: blocks << BigInt(exponent),
    nguid: identifier(answer.subarray(104, 120)),
    eui64: identifier(answer.subarray(120, 128)),
    shared: (answer.readUInt8(30) & 0x01) !== 0,
    anaGroup: answer.readUInt32LE(92),
  }
}

const descriptorLengths = { 1: 8, 2: 16, 3: 16, 4: 1 } as const

/** Descriptors of types that are not known are left out; of each known type the first counts. */
export function parseNamespaceNames(answer: Buffer): NamespaceNames {
  need(answer, 'the names of a namespace')
  const found = new Map<number, Buffer>()
  for (let at = 0; at + 4 <= answer.length;) {
    const [type, length] = [answer.readUInt8(at), answer.readUInt8(at + 1)]
    if (length === 0) break
    const end = at + 4 + length
    if (end > answer.length) throw malformed('the names of a namespace', 'a name beyond the end')
    const expected = descriptorLengths[type as keyof typeof descriptorLengths] as number | undefined
    if (expected !== undefined && length !== expected) {
      throw malformed('the names of a namespace', `${length} bytes for a name of type ${type}`)
    }
    if (!found.has(type)) found.set(type, answer.subarray(at + 4, end))
    at = end
  }
  const uuid = identifier(found.get(3))
  return {
    eui64: identifier(found.get(1)),
    nguid: identifier(found.get(2)),
    uuid: uuid === null ? null : hyphenated(uuid),
    commandSet: found.get(4)?.readUInt8(0) ?? null,
  }
}

/** The numbers in one part of the list of active namespaces, in rising order; the list goes on when all places are taken. */
export function parseActiveNamespaces(answer: Buffer): { namespaces: number[]; more: boolean } {
  need(answer, 'active namespaces')
  const namespaces: number[] = []
  for (let at = 0; at < structureSize; at += 4) {
    const number = answer.readUInt32LE(at)
    if (number === 0) return { namespaces, more: false }
    if (number <= (namespaces.at(-1) ?? 0)) throw malformed('active namespaces', 'numbers out of order')
    namespaces.push(number)
  }
  return { namespaces, more: true }
}

/** Hexadecimal digits; all zeros stand for none. */
function identifier(bytes: Buffer | undefined): string | null {
  return bytes?.some((byte) => byte !== 0) ? bytes.toString('hex') : null
}

/** ASCII padded with blanks; names end at a NUL. */
function text(answer: Buffer, start: number, end: number): string {
  return answer.toString('utf8', start, end).replace(/\0.*$/s, '').trim()
}

function need(answer: Buffer, what: string): void {
  if (answer.length !== structureSize) throw malformed(what, `${answer.length} bytes`)
}

function malformed(what: string, found: string): BrickError {
  return new BrickError('SYSTEM', `Identify: the controller describes ${what} with ${found}`)
}
