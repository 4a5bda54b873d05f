import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'

import { BrickError } from '../../lib/errors.ts'
import { formatPortal, nodeRecordAddress, parsePortal, samePortal } from '../../lib/iscsi/portal.ts'

const same = (a: string, b: string) => samePortal(parsePortal(a), parsePortal(b))

describe('parsePortal', () => {
  const cases: Record<string, string> = {
    '10.0.0.1': '10.0.0.1:3260',
    '10.0.0.1:3260': '10.0.0.1:3260',
    '10.0.0.1:3261': '10.0.0.1:3261',
    '10.0.0.1:3260,1': '10.0.0.1:3260',
    '10.0.0.1:3260,-1': '10.0.0.1:3260',
    '10.0.0.1:65535,4294967295': '10.0.0.1:65535',
    '[fe80::1%eth0]:3260': '[fe80::1%eth0]:3260',
    '[fe80::1%eth0.100]': '[fe80::1%eth0.100]:3260',
    'fe80::1%eth0': '[fe80::1%eth0]:3260',
    'fe80::1%eth0:3261': '[fe80::1%eth0]:3261',
    '[2001:DB8::A]:3260,2': '[2001:db8::a]:3260',
    '2001:0db8:0000:0000:0000:0000:0000:000a': '[2001:db8::a]:3260',
    '2001:db8:0:0:1:0:0:1': '[2001:db8::1:0:0:1]:3260',
    '::1': '[::1]:3260',
    '::': '[::]:3260',
    // The drivers' unbracketed form, and what only looks like it.
    'fe80::1:3260': '[fe80::1]:3260',
    'fe80::1:3261': '[fe80::1:3261]:3260',
    'fe80::1:32600': '[fe80::1]:32600',
    '2001:db8:0:0:0:0:0:1:3261': '[2001:db8::1]:3261',
    '2001:db8:0:0:0:0:1:3260': '[2001:db8::1:3260]:3260',
    ':::3261': '[::]:3261',
    '1::3260': '[1::3260]:3260',
    '::3260': '[::3260]:3260',
    // IPv4-mapped
    '::ffff:10.0.0.1': '10.0.0.1:3260',
    '[::FFFF:0a00:0001]:3261': '10.0.0.1:3261',
    '::ffff:10.0.0.1:3260': '10.0.0.1:3260',
    '::ffff:10.0.0.1:3261': '10.0.0.1:3261',
    'Storage-1.Example.COM.:3260': 'storage-1.example.com:3260',
    localhost: 'localhost:3260',
    '1and1.example': '1and1.example:3260',
  }
  for (const [given, canonical] of Object.entries(cases)) {
    it(`reads ${given} as ${canonical}`, () => {
      const portal = parsePortal(given)
      assert.equal(formatPortal(portal), canonical)
      assert.deepEqual(parsePortal(canonical), portal)
    })
  }

  it('tells the families apart', () => {
    assert.deepEqual(parsePortal('10.0.0.1'), { host: '10.0.0.1', port: 3260, family: 'ipv4' })
    assert.deepEqual(parsePortal('[FE80::1%eth0]:1'), { host: 'fe80::1', port: 1, family: 'ipv6', zone: 'eth0' })
    assert.deepEqual(parsePortal('Array.'), { host: 'array', port: 3260, family: 'name' })
  })

  for (const given of [
    '',
    ' ',
    ':',
    ':3260',
    '10.0.0.256',
    '10.0.0',
    '10.0.0.1.2',
    '010.0.0.1',
    '0x0a.0.0.1:3260',
    '10.0.0.1:',
    '10.0.0.1:0',
    '10.0.0.1:70000',
    '10.0.0.1:-1',
    '10.0.0.1:+1',
    '10.0.0.1:3260x',
    '10.0.0.1 ',
    ' 10.0.0.1',
    '10.0.0.1:3260 ',
    '10.0.0.1:3260,',
    '10.0.0.1:3260,x',
    '10.0.0.1%eth0',
    '[10.0.0.1]:3260',
    '[array]:3260',
    '[]',
    '[::1',
    '::1]',
    '[::1]3260',
    '[::1]:',
    '[::1]:0',
    '[::1]:70000',
    '1:2:3',
    '1::2::3',
    'fe80::g',
    '[fe80::1%]:3260',
    '[fe80::1%a/b]',
    '[::ffff:10.0.0.1%eth0]',
    'a_b',
    '-a',
    'a-',
    'a..b',
    '.',
    '..',
    'host name',
    'höst',
    `${'a'.repeat(64)}.b`,
    'a.'.repeat(127) + 'a',
    '10.0.0.1\n',
    '10.0.0.1\0',
    '[::1%eth0%eth1]',
    null,
    undefined,
    3260,
    ['10.0.0.1'],
    {},
  ]) {
    it(`refuses ${inspect(given)}`, () => {
      assert.throws(() => parsePortal(given, 'target_portals[1]'), {
        name: 'BrickError',
        code: 'INVALID_ARGUMENT',
        message: /^target_portals\[1\]: /,
      })
    })
  }
})

describe('samePortal', () => {
  it('is exact', () => {
    assert.ok(same('10.0.0.1', '10.0.0.1:3260'))
    assert.ok(same('[2001:db8::a]', '2001:0DB8:0:0::a:3260'))
    assert.ok(same('[::ffff:10.0.0.1]', '10.0.0.1'))
    assert.ok(same('ARRAY.', 'array'))
    assert.ok(!same('10.0.0.1', '10.0.0.11'))
    assert.ok(!same('10.0.0.1:3260', '10.0.0.1:326'))
    assert.ok(!same('[fe80::1%eth0]', '[fe80::1%eth1]'))
    assert.ok(!same('[fe80::1%eth0]', '[fe80::1]'))
    assert.ok(!same('array', 'array.example'))
  })
})

it('node records have no brackets', () => {
  assert.equal(nodeRecordAddress(parsePortal('[FE80::1%eth0]:3260')), 'fe80::1%eth0')
  assert.equal(nodeRecordAddress(parsePortal('10.0.0.1:3260')), '10.0.0.1')
})

it('any text is read, stably, or refused', () => {
  let seed = 7
  const below = (limit: number) => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) % limit
  const pieces = [
    '10',
    '.',
    '.',
    ':',
    ':',
    '::',
    '[',
    ']',
    '%',
    'eth0',
    '3260',
    ',1',
    'fe80',
    'ffff',
    '0',
    '256',
    '70000',
    'a',
    '-',
    ' ',
    '/',
    'é',
  ]
  let read = 0
  for (let round = 0; round < 8_000; round++) {
    const text = Array.from({ length: 1 + below(9) }, () => pieces[below(pieces.length)]).join('')
    try {
      const portal = parsePortal(text)
      assert.deepEqual(parsePortal(formatPortal(portal)), portal, text)
      read++
    } catch (error) {
      assert.ok(error instanceof BrickError && error.code === 'INVALID_ARGUMENT', text)
    }
  }
  assert.ok(read > 50)
})
