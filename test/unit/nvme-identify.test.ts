import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BrickError } from '../../lib/errors.ts'
import { parseActiveNamespaces, parseController, parseNamespace, parseNamespaceNames } from '../../lib/nvme/identify.ts'

const broken = { name: 'BrickError', code: 'SYSTEM' }
const structure = (change: (bytes: Buffer) => void): Buffer => {
  const bytes = Buffer.alloc(4096)
  change(bytes)
  return bytes
}

for (const [name, parse] of Object.entries({
  parseController,
  parseNamespace,
  parseNamespaceNames,
  parseActiveNamespaces,
})) {
  it(`${name} refuses what is cut off`, () => {
    for (const length of [0, 1, 512, 4095, 4097]) assert.throws(() => parse(Buffer.alloc(length)), broken)
  })
}

it('a controller says who it is', () => {
  const answer = structure((bytes) => {
    bytes.write('SN 1'.padEnd(20), 4)
    bytes.write('Linux'.padEnd(40), 24)
    bytes.write('6.12'.padEnd(8), 64)
    bytes.writeUInt8(0x0a, 76)
    bytes.writeUInt16LE(0xfffe, 78)
    bytes.writeUInt32LE(0x0900, 92)
    bytes.writeUInt32LE(128, 348)
    bytes.write('nqn.2026-11.test:1\0rest', 768)
  })
  assert.deepEqual(parseController(answer), {
    controllerId: 0xfffe,
    serial: 'SN 1',
    model: 'Linux',
    firmware: '6.12',
    subsystemNqn: 'nqn.2026-11.test:1',
    multipleControllers: true,
    ana: true,
    anaGroups: 128,
    announcesNamespaces: true,
  })
  const { multipleControllers, ana, announcesNamespaces } = parseController(Buffer.alloc(4096))
  assert.deepEqual([multipleControllers, ana, announcesNamespaces], [false, false, false])
})

describe('a namespace', () => {
  const namespace = (change: (bytes: Buffer) => void = () => undefined): Buffer =>
    structure((bytes) => {
      bytes.writeBigUInt64LE(262_144n, 0)
      bytes.writeUInt8(9, 128 + 2)
      bytes.writeUInt8(12, 132 + 2)
      change(bytes)
    })

  it('has the size that its format gives its blocks', () => {
    const size = (change: (bytes: Buffer) => void) => {
      const { blocks, blockSize, bytes } = parseNamespace(namespace(change)) ?? {}
      return [blocks, blockSize, bytes]
    }
    assert.deepEqual(
      size(() => undefined),
      [262_144n, 512, 134_217_728n],
    )
    assert.deepEqual(
      size((bytes) => bytes.writeUInt8(1, 26)),
      [262_144n, 4096, 1_073_741_824n],
    )
    // Bit 4 of the format's number is not its own, and says how metadata goes.
    assert.deepEqual(
      size((bytes) => bytes.writeUInt8(0x11, 26)),
      [262_144n, 4096, 1_073_741_824n],
    )
    const huge = 0xffff_ffff_ffff_ffffn
    assert.deepEqual(
      size((bytes) => bytes.writeBigUInt64LE(huge, 0)),
      [huge, 512, huge * 512n],
    )
  })

  it('has more than sixteen formats only where it says so', () => {
    const seventeenth = (formats: number) =>
      parseNamespace(
        namespace((bytes) => {
          bytes.writeUInt8(formats - 1, 25)
          bytes.writeUInt8(0x20, 26)
          bytes.writeUInt8(14, 128 + 16 * 4 + 2)
        }),
      )?.blockSize
    assert.equal(seventeenth(16), 512)
    assert.equal(seventeenth(17), 16_384)
  })

  it('has names, or does not', () => {
    const { nguid, eui64, shared, anaGroup } =
      parseNamespace(
        namespace((bytes) => {
          bytes.writeUInt8(1, 30)
          bytes.writeUInt32LE(7, 92)
          bytes.write('00112233445566778899aabbccddeeff0123456789abcdef', 104, 'hex')
        }),
      ) ?? {}
    assert.deepEqual(
      { nguid, eui64, shared, anaGroup },
      { nguid: '00112233445566778899aabbccddeeff', eui64: '0123456789abcdef', shared: true, anaGroup: 7 },
    )
    const bare = parseNamespace(namespace())
    assert.deepEqual([bare?.nguid, bare?.eui64, bare?.shared, bare?.anaGroup], [null, null, false, 0])
  })

  it('is none when all is zero', () => {
    assert.equal(parseNamespace(Buffer.alloc(4096)), null)
  })

  it('cannot have blocks that no disk has', () => {
    for (const exponent of [0, 1, 8, 31, 255]) {
      assert.throws(() => parseNamespace(namespace((bytes) => bytes.writeUInt8(exponent, 130))), broken)
    }
  })
})

describe('names of a namespace', () => {
  const names = (...descriptors: string[]) => structure((bytes) => bytes.write(descriptors.join(''), 0, 'hex'))
  const eui64 = '01080000' + '0123456789abcdef'
  const nguid = '02100000' + '00112233445566778899aabbccddeeff'
  const uuid = '03100000' + '9a0d35d0175a11e48c210800200c9a66'
  const commandSet = '0401000000'

  it('are read in any order', () => {
    const all = {
      eui64: '0123456789abcdef',
      nguid: '00112233445566778899aabbccddeeff',
      uuid: '9a0d35d0-175a-11e4-8c21-0800200c9a66',
      commandSet: 0,
    }
    assert.deepEqual(parseNamespaceNames(names(eui64, nguid, uuid, commandSet)), all)
    assert.deepEqual(parseNamespaceNames(names(commandSet, '09020000ffff', uuid, nguid, eui64)), all)
  })

  it('may be missing', () => {
    const none = { eui64: null, nguid: null, uuid: null, commandSet: null }
    assert.deepEqual(parseNamespaceNames(Buffer.alloc(4096)), none)
    assert.deepEqual(parseNamespaceNames(names('03100000' + '00'.repeat(16))), none)
  })

  it('are refused when their lengths do not fit', () => {
    for (const bad of ['01070000', '03200000', '040200000000']) {
      assert.throws(() => parseNamespaceNames(names(bad)), broken)
    }
    const beyond = structure((bytes) => {
      for (let at = 0; at < 4096 - 8; at += 8) bytes.write('0904000000000000', at, 'hex')
      bytes.write('0905', 4088, 'hex')
    })
    assert.throws(() => parseNamespaceNames(beyond), broken)
  })
})

it('names of a namespace are read or refused, whatever they are', () => {
  let seed = 13
  const below = (limit: number) => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) % limit
  let read = 0
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.alloc(4096, below(2) === 0 ? 0 : 9)
    for (let at = 0; at < 200; at++) bytes[at] = below(at % 20 === 1 ? 32 : 6)
    try {
      parseNamespaceNames(bytes)
      read++
    } catch (error) {
      assert.ok(error instanceof BrickError && error.code === 'SYSTEM', String(error))
    }
  }
  assert.ok(read > 50 && read < 2950, `${read} read`)
})

describe('active namespaces', () => {
  const active = (...numbers: number[]) =>
    structure((bytes) => {
      for (const [index, number] of numbers.entries()) bytes.writeUInt32LE(number, index * 4)
    })

  it('end at the first zero, or go on', () => {
    assert.deepEqual(parseActiveNamespaces(active()), { namespaces: [], more: false })
    assert.deepEqual(parseActiveNamespaces(active(1, 7, 0, 9)), { namespaces: [1, 7], more: false })
    const full = Array.from({ length: 1024 }, (_, index) => index + 1)
    assert.deepEqual(parseActiveNamespaces(active(...full)), { namespaces: full, more: true })
  })

  it('are in order', () => {
    for (const numbers of [
      [7, 1],
      [1, 1],
      [0xffffffff, 1],
    ])
      assert.throws(() => parseActiveNamespaces(active(...numbers)), broken)
  })
})
