import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BrickError } from '../../lib/errors.ts'
import { readDiscoveryLog } from '../../lib/nvme/discovery-log.ts'
import { anaLogSize, parseAnaLog, parseDiscoveryHeader, parseDiscoveryRecords } from '../../lib/nvme/log-pages.ts'
import { header, record } from './fake-discovery.ts'

const broken = { name: 'BrickError', code: 'SYSTEM' }

describe('the discovery log', () => {
  it('has a header', () => {
    assert.deepEqual(parseDiscoveryHeader(header(5n, 3)), { generation: 5n, records: 3 })
    assert.deepEqual(parseDiscoveryHeader(header(2n ** 64n - 1n, 16_384)).records, 16_384)
  })

  it('is refused in another format, cut off or without an end', () => {
    const other = header(1n, 1)
    other.writeUInt16LE(1, 16)
    for (const page of [other, header(1n, 1).subarray(1), Buffer.alloc(0), header(1n, 16_385), header(1n, 2 ** 40)]) {
      assert.throws(() => parseDiscoveryHeader(page), broken)
    }
  })

  it('has records of all transports', () => {
    const fc = 'nn-0x20001100aa000002:pn-0x20001100ab000002'
    const records = [
      record({ nqn: 'nqn.a', transport: 3, family: 2, traddr: 'fe80::1', trsvcid: '4420', sectype: 2, requirement: 1 }),
      record({ nqn: 'nqn.b', transport: 1, family: 1, traddr: '10.0.0.1  ', trsvcid: '4420  ', controllerId: 9 }),
      record({
        nqn: 'nqn.c',
        transport: 2,
        family: 4,
        traddr: fc,
        trsvcid: 'none',
        subtype: 1,
        requirement: 2,
        sectype: 2,
      }),
      record({ nqn: 'nqn.d', transport: 254, family: 254, traddr: '', trsvcid: '', subtype: 3 }),
      record({ nqn: 'nqn.e', transport: 9, family: 9 }),
    ]
    const rest = { portId: 1, adminQueueSize: 32 }
    assert.deepEqual(parseDiscoveryRecords(Buffer.concat(records)), [
      {
        nqn: 'nqn.a',
        subtype: 'nvm',
        transport: 'tcp',
        addressFamily: 'ipv6',
        traddr: 'fe80::1',
        trsvcid: '4420',
        controllerId: null,
        secureChannel: 'required',
        tls: true,
        ...rest,
      },
      {
        nqn: 'nqn.b',
        subtype: 'nvm',
        transport: 'rdma',
        addressFamily: 'ipv4',
        traddr: '10.0.0.1',
        trsvcid: '4420',
        controllerId: 9,
        secureChannel: null,
        tls: false,
        ...rest,
      },
      {
        nqn: 'nqn.c',
        subtype: 'referral',
        transport: 'fc',
        addressFamily: 'fc',
        traddr: fc,
        trsvcid: 'none',
        controllerId: null,
        secureChannel: 'not required',
        tls: false,
        ...rest,
      },
      {
        nqn: 'nqn.d',
        subtype: 'discovery',
        transport: 'loop',
        addressFamily: 'loop',
        traddr: '',
        trsvcid: '',
        controllerId: null,
        secureChannel: null,
        tls: false,
        ...rest,
      },
      {
        nqn: 'nqn.e',
        subtype: 'nvm',
        transport: null,
        addressFamily: null,
        traddr: '10.0.0.1',
        trsvcid: '4420',
        controllerId: null,
        secureChannel: null,
        tls: false,
        ...rest,
      },
    ])
  })

  it('has no records that cannot be read', () => {
    for (const bad of [
      record({ subtype: 0 }),
      record({ subtype: 4 }),
      record({ nqn: 'nqn.\x07' }),
      record({ traddr: '10.0.0.1\n\x01' }),
      record({}).subarray(1),
      Buffer.alloc(1025),
    ]) {
      assert.throws(() => parseDiscoveryRecords(bad), broken)
    }
    const latin = record({})
    latin[256] = 0xff
    assert.throws(() => parseDiscoveryRecords(latin), broken)
  })
})

it('records of the discovery log are read or refused, whatever they are', () => {
  let seed = 11
  const below = (limit: number) => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) % limit
  const whole = Buffer.concat([header(1n, 2), record({}), record({ transport: 1 })])
  let read = 0
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.from(whole.subarray(0, below(8) === 0 ? below(whole.length) : whole.length))
    for (let changes = below(5); changes > 0 && bytes.length > 0; changes--) {
      bytes[below(2) === 0 ? below(bytes.length) : (below(3) * 1024 + below(20)) % bytes.length] = below(256)
    }
    try {
      const { records } = parseDiscoveryHeader(bytes)
      const found = parseDiscoveryRecords(bytes.subarray(1024))
      assert.ok(records <= 16_384 && found.length <= 2, 'more is read than is there')
      read++
    } catch (error) {
      assert.ok(error instanceof BrickError && error.code === 'SYSTEM', String(error))
    }
  }
  assert.ok(read > 500 && read < 4900, `${read} read`)
})

describe('reading the discovery log', () => {
  const page = (generation: bigint, count: number) =>
    Buffer.concat([header(generation, count), ...Array.from({ length: count }, (_, i) => record({ nqn: `nqn.${i}` }))])

  it('takes parts of what every controller can transfer', async () => {
    const asked: [number, number][] = []
    const found = await readDiscoveryLog((offset, length) => {
      asked.push([offset, length])
      return Promise.resolve(page(1n, 6).subarray(offset, offset + length))
    })
    assert.deepEqual(
      found.map(({ nqn }) => nqn),
      ['nqn.0', 'nqn.1', 'nqn.2', 'nqn.3', 'nqn.4', 'nqn.5'],
    )
    assert.deepEqual(asked, [
      [0, 1024],
      [1024, 4096],
      [5120, 2048],
      [0, 1024],
    ])
  })

  it('begins again when the log has changed meanwhile', async () => {
    const pages = [page(1n, 2), page(1n, 2), page(2n, 3), page(2n, 3), page(2n, 3)]
    const found = await readDiscoveryLog((offset, length) =>
      Promise.resolve(
        (pages.length > 1 ? pages.shift() : pages[0])?.subarray(offset, offset + length) ?? Buffer.alloc(0),
      ),
    )
    assert.equal(found.length, 3)
  })

  it('does not go on for ever', async () => {
    let generation = 0n
    let reads = 0
    const call = readDiscoveryLog((offset, length) => {
      reads++
      return Promise.resolve(page(++generation, 1).subarray(offset, offset + length))
    })
    await assert.rejects(call, broken)
    assert.equal(reads, 21)
  })
})

describe('the ANA log', () => {
  const group = (number: number, state: number, ...namespaces: number[]): Buffer => {
    const bytes = Buffer.alloc(32 + namespaces.length * 4)
    bytes.writeUInt32LE(number, 0)
    bytes.writeUInt32LE(namespaces.length, 4)
    bytes.writeUInt8(state, 16)
    for (const [index, namespace] of namespaces.entries()) bytes.writeUInt32LE(namespace, 32 + index * 4)
    return bytes
  }
  const log = (count: number, ...groups: Buffer[]): Buffer => {
    const head = Buffer.alloc(16)
    head.writeUInt16LE(count, 8)
    return Buffer.concat([head, ...groups])
  }

  it('has groups with their states and namespaces', () => {
    assert.deepEqual(parseAnaLog(log(3, group(1, 1, 1, 2), group(9, 2), group(4, 0x3f, 7), Buffer.alloc(64))), [
      { group: 1, state: 'optimized', namespaces: [1, 2] },
      { group: 9, state: 'non-optimized', namespaces: [] },
      { group: 4, state: 'change', namespaces: [7] },
    ])
    assert.deepEqual(
      parseAnaLog(log(2, group(1, 3), group(2, 4))).map(({ state }) => state),
      ['inaccessible', 'persistent-loss'],
    )
    assert.equal(anaLogSize(2), log(2, group(1, 3), group(2, 4)).length)
  })

  it('is refused where it leads beyond its end or says nothing known', () => {
    const huge = group(1, 1)
    huge.writeUInt32LE(0xffffffff, 4)
    for (const bad of [
      Buffer.alloc(15),
      log(1),
      log(2, group(1, 1)),
      log(1, group(1, 1, 5).subarray(0, 35)),
      log(1, huge),
      log(1, group(1, 0)),
      log(1, group(1, 5)),
    ]) {
      assert.throws(() => parseAnaLog(bad), broken)
    }
  })

  it('is read or refused, whatever it is', () => {
    let seed = 3
    const below = (limit: number) => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) % limit
    const whole = log(2, group(1, 1, 1, 2), group(2, 2, 3))
    let read = 0
    for (let round = 0; round < 5000; round++) {
      const bytes = Buffer.from(whole.subarray(0, below(4) === 0 ? below(whole.length) : whole.length))
      for (let changes = below(4); changes > 0 && bytes.length > 0; changes--) bytes[below(bytes.length)] = below(256)
      try {
        const groups = parseAnaLog(bytes)
        const size = groups.reduce((sum, { namespaces }) => sum + 32 + namespaces.length * 4, 16)
        assert.ok(size <= bytes.length, 'more is read than is there')
        read++
      } catch (error) {
        assert.ok(error instanceof BrickError && error.code === 'SYSTEM', String(error))
      }
    }
    assert.ok(read > 500 && read < 4900, `${read} read`)
  })
})
