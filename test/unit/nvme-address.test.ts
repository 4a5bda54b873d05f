import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import {
  formatAddress,
  leadsTo,
  nvmeAddress,
  nvmeTransport,
  parseAddressAttribute,
  portalOf,
} from '../../lib/nvme/address.ts'
import type { NvmeTransport, WrittenAddress } from '../../lib/nvme/address.ts'

const fc = 'nn-0x20001100aa000002:pn-0x20001100ab000002'
const tcp = (traddr: string, rest: WrittenAddress = {}) => nvmeAddress('tcp', { traddr, trsvcid: 4420, ...rest }, 'x')

describe('an address', () => {
  const spellings: [NvmeTransport, WrittenAddress, object][] = [
    ['tcp', { traddr: '10.0.0.1', trsvcid: '4420' }, { traddr: '10.0.0.1', trsvcid: 4420 }],
    ['tcp', { traddr: '10.0.0.1' }, { traddr: '10.0.0.1', trsvcid: 4420 }],
    ['rdma', { traddr: '2001:DB8:0:0::A', trsvcid: 8009 }, { traddr: '2001:db8::a', trsvcid: 8009 }],
    ['tcp', { traddr: '[fe80:0::1%eth0]', trsvcid: 1 }, { traddr: 'fe80::1%eth0', trsvcid: 1 }],
    ['tcp', { traddr: '::ffff:10.0.0.1' }, { traddr: '10.0.0.1', trsvcid: 4420 }],
    ['tcp', { traddr: 'Array.Example.' }, { traddr: 'array.example', trsvcid: 4420 }],
    [
      'tcp',
      { traddr: '10.0.0.1', hostTraddr: '10.0.0.9', hostIface: 'eth0' },
      { traddr: '10.0.0.1', trsvcid: 4420, hostTraddr: '10.0.0.9', hostIface: 'eth0' },
    ],
    ['tcp', { traddr: '10.0.0.1', hostTraddr: 'none', hostIface: '' }, { traddr: '10.0.0.1', trsvcid: 4420 }],
    ['fc', { traddr: fc.toUpperCase().replaceAll('0X', '0x').replace('NN', 'nn').replace('PN', 'pn') }, { traddr: fc }],
    ['fc', { traddr: fc.replaceAll('0x', ''), trsvcid: 'none' }, { traddr: fc }],
    ['fc', { traddr: fc, hostTraddr: fc.replaceAll('0x', '') }, { traddr: fc, hostTraddr: fc }],
    ['loop', {}, { traddr: '' }],
    ['loop', { traddr: 'lab' }, { traddr: 'lab' }],
  ]
  for (const [transport, written, expected] of spellings) {
    it(`over ${transport} from ${inspect(written)}`, () => {
      assert.deepEqual(nvmeAddress(transport, written, 'x'), { transport, ...expected })
    })
  }

  const refused: [NvmeTransport, WrittenAddress, RegExp][] = [
    ['tcp', {}, /^portals\[1\]: traddr: /],
    ['tcp', { traddr: '10.0.0.256' }, /traddr/],
    ['tcp', { traddr: '10.0.0.1,hostnqn=x' }, /traddr/],
    ['tcp', { traddr: fc }, /traddr/],
    ['tcp', { traddr: 1 }, /traddr/],
    ['tcp', { traddr: '10.0.0.1', trsvcid: 0 }, /trsvcid/],
    ['tcp', { traddr: '10.0.0.1', trsvcid: '65536' }, /trsvcid/],
    ['tcp', { traddr: '10.0.0.1', trsvcid: 4420.5 }, /trsvcid/],
    ['tcp', { traddr: '10.0.0.1', trsvcid: [4420] }, /trsvcid/],
    ['tcp', { traddr: '10.0.0.1', hostTraddr: 'a b' }, /host_traddr/],
    ['tcp', { traddr: '10.0.0.1', hostIface: 'eth0,tls' }, /host_iface/],
    ['tcp', { traddr: '10.0.0.1', hostIface: 'x'.repeat(16) }, /host_iface/],
    ['fc', { traddr: '10.0.0.1' }, /traddr/],
    ['fc', { traddr: `${fc}0` }, /traddr/],
    ['fc', {}, /traddr/],
    ['loop', { traddr: 'a,b' }, /traddr/],
  ]
  for (const [transport, written, message] of refused) {
    it(`over ${transport} is not ${inspect(written)}`, () => {
      assert.throws(() => nvmeAddress(transport, written, 'portals[1]'), { code: 'INVALID_ARGUMENT', message })
    })
  }
})

describe('a transport', () => {
  it('has the name that Cinder or the kernel gives it', () => {
    const names = { tcp: 'tcp', TCP: 'tcp', rdma: 'rdma', RoCEv2: 'rdma', FC: 'fc', loop: 'loop' }
    for (const [name, transport] of Object.entries(names)) assert.equal(nvmeTransport(name, 'x'), transport)
  })

  it('is never taken for another', () => {
    for (const name of ['', 'pcie', 'roce', 'tcp ', 'constructor', '__proto__', null, undefined, 3, ['tcp']]) {
      assert.throws(() => nvmeTransport(name, 'transport_type'), {
        code: 'INVALID_ARGUMENT',
        message: /^transport_type: /,
      })
    }
  })
})

describe("the kernel's attribute", () => {
  it('tells where a controller is reached', () => {
    assert.deepEqual(parseAddressAttribute('tcp', 'traddr=10.0.0.1,trsvcid=4420,src_addr=10.0.0.9\n'), tcp('10.0.0.1'))
    assert.deepEqual(
      parseAddressAttribute('tcp', 'traddr=fe80:0:0::1%eth0,trsvcid=4420,host_traddr=fe80::2,host_iface=eth0\n'),
      tcp('fe80::1%eth0', { hostTraddr: 'fe80::2', hostIface: 'eth0' }),
    )
    assert.deepEqual(parseAddressAttribute('fc', `traddr=${fc},host_traddr=${fc}\n`), {
      transport: 'fc',
      traddr: fc,
      hostTraddr: fc,
    })
    assert.deepEqual(parseAddressAttribute('loop', '\n'), { transport: 'loop', traddr: '' })
  })

  it('tells nothing of what is in this host, or cannot be read', () => {
    assert.equal(parseAddressAttribute('pcie', '0000:00:04.0\n'), null)
    for (const text of ['', 'trsvcid=4420', 'traddr=,trsvcid=4420', 'traddr=10.0.0.1,trsvcid=x']) {
      assert.equal(parseAddressAttribute('tcp', text), null)
    }
  })
})

describe('an address leads to another', () => {
  it('in whatever spelling, and exactly', () => {
    assert.equal(leadsTo(tcp('2001:db8:0::1'), tcp('[2001:DB8::1]')), true)
    assert.equal(leadsTo(tcp('10.0.0.1'), tcp('10.0.0.11')), false)
    assert.equal(leadsTo(tcp('10.0.0.1'), tcp('10.0.0.1', { trsvcid: 442 })), false)
    assert.equal(leadsTo(tcp('10.0.0.1'), { ...tcp('10.0.0.1'), transport: 'rdma' }), false)
  })

  it('from anywhere, unless it is said where from', () => {
    const here = tcp('10.0.0.1', { hostTraddr: '10.0.0.9', hostIface: 'eth0' })
    assert.equal(leadsTo(here, tcp('10.0.0.1')), true)
    assert.equal(leadsTo(here, tcp('10.0.0.1', { hostTraddr: '10.0.0.9' })), true)
    assert.equal(leadsTo(here, tcp('10.0.0.1', { hostTraddr: '10.0.0.8' })), false)
    assert.equal(leadsTo(here, tcp('10.0.0.1', { hostIface: 'eth1' })), false)
    assert.equal(leadsTo(tcp('10.0.0.1'), here), false)
  })
})

it('addresses are written for people, and have a portal where there is one', () => {
  assert.equal(formatAddress(tcp('fe80::1%eth0')), 'tcp [fe80::1%eth0]:4420')
  assert.equal(formatAddress(nvmeAddress('fc', { traddr: fc }, 'x')), `fc ${fc}`)
  assert.equal(formatAddress(nvmeAddress('loop', {}, 'x')), 'loop')
  assert.deepEqual(portalOf(tcp('array')), { host: 'array', family: 'name', port: 4420 })
  assert.equal(portalOf(nvmeAddress('fc', { traddr: fc }, 'x')), undefined)
})
