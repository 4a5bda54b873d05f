import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { BrickError } from '../../lib/errors.ts'
import { parseInquiry, parseReadCapacity16, parseReportLuns } from '../../lib/scsi/responses.ts'

const broken = { name: 'BrickError', code: 'SYSTEM' }

describe('REPORT LUNS', () => {
  const response = (length: number, ...luns: string[]) => {
    const header = Buffer.alloc(8)
    header.writeUInt32BE(length)
    return Buffer.concat([header, ...luns.map((lun) => Buffer.from(lun, 'hex'))])
  }
  const [zero, flat, huge] = ['0000000000000000', '412c000000000000', 'ffffffffffffffff']

  it('lists LUNs as the kernel numbers them', () => {
    assert.deepEqual(parseReportLuns(response(16, zero, flat)), [0, 16684])
    assert.deepEqual(parseReportLuns(response(0)), [])
  })

  it('ignores what follows the list, and LUNs that no number holds', () => {
    assert.deepEqual(parseReportLuns(response(8, zero, flat)), [0])
    assert.deepEqual(parseReportLuns(response(16, huge, flat)), [16684])
  })

  it('says how long the whole list is when it was cut off', () => {
    assert.throws(() => parseReportLuns(response(24, zero, flat)), { ...broken, details: { needed: 32 } })
    assert.throws(() => parseReportLuns(response(0xfffffff8)), { ...broken, details: { needed: 2 ** 32 } })
  })

  it('refuses lists that do not add up', () => {
    for (const bad of [Buffer.alloc(0), Buffer.alloc(7), response(9, zero, flat)]) {
      assert.throws(() => parseReportLuns(bad), broken)
    }
  })
})

describe('READ CAPACITY (16)', () => {
  const response = (last: bigint, size: number) => {
    const buffer = Buffer.alloc(32)
    buffer.writeBigUInt64BE(last)
    buffer.writeUInt32BE(size, 8)
    return buffer
  }

  for (const [last, size, bytes] of [
    [0n, 512, 512n],
    [2097151n, 512, 1073741824n],
    [262143n, 4096, 1073741824n],
    [0xffff_ffff_fffen, 4096, 0xffff_ffff_ffffn * 4096n],
  ] as const) {
    it(`${last} and ${size} are ${bytes} bytes`, () => {
      assert.deepEqual(parseReadCapacity16(response(last, size)), { blocks: last + 1n, blockSize: size, bytes })
    })
  }

  it('refuses a short answer and blocks of no size', () => {
    assert.throws(() => parseReadCapacity16(response(0n, 512).subarray(0, 11)), broken)
    assert.throws(() => parseReadCapacity16(response(1n, 0)), broken)
  })
})

describe('INQUIRY', () => {
  const response = (first: number, text: string) =>
    Buffer.concat([Buffer.from([first, 0, 6, 2, 31, 0, 0, 0]), Buffer.from(text)])

  it('reads the mandatory fields', () => {
    const lio = { qualifier: 0, type: 0, vendor: 'LIO-ORG', product: 'vol one', revision: '4.0' }
    assert.deepEqual(parseInquiry(response(0, 'LIO-ORG vol one         4.0 ')), lio)
    assert.deepEqual(parseInquiry(response(0, 'LIO-ORG vol one\0\0\0\0\0\0\0\0\x004.0 and more')), lio)
  })

  it('tells an unmapped LUN', () => {
    const { qualifier, type } = parseInquiry(response(0x7f, ' '.repeat(28)))
    assert.deepEqual([qualifier, type], [3, 31])
  })

  it('refuses a short answer', () => {
    assert.throws(() => parseInquiry(response(0, 'LIO-ORG vol')), { ...broken, details: { needed: 36 } })
  })
})

describe('any bytes', () => {
  it('are parsed or refused', () => {
    let seed = 1
    const byte = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 24
    for (let round = 0; round < 5_000; round++) {
      const bytes = Buffer.from(Array.from({ length: byte() % 48 }, () => (byte() < 128 ? 0 : byte())))
      for (const parse of [parseReportLuns, parseReadCapacity16, parseInquiry]) {
        try {
          parse(bytes)
        } catch (error) {
          assert.ok(error instanceof BrickError, bytes.toString('hex'))
        }
      }
    }
  })
})
