import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loginRequest, requestLayouts } from '../../lib/iscsi/login-request.ts'
import type { RequestLayout } from '../../lib/iscsi/login-request.ts'

/** A record with no more than every record has. */
const plain = new Map([
  ['node.name', 'iqn.2026-11.test:a'],
  ['iface.iscsi_ifacename', 'default'],
  ['iface.transport_name', 'tcp'],
  ['node.discovery_type', 'static'],
  ['node.conn[0].address', '10.0.0.1'],
  ['node.conn[0].port', '3261'],
])
const withSettings = (settings: Record<string, string>): Map<string, string> =>
  new Map([...plain, ...Object.entries(settings)])

function layout(version: string): RequestLayout {
  const known = requestLayouts.get(version)
  assert.ok(known)
  return known
}

function encode(settings: Record<string, string>, version = '2.1.11'): Buffer {
  const request = loginRequest(withSettings(settings), layout(version))
  assert.ok(request)
  return request
}

const text = (request: Buffer, at: number): string => request.toString('utf8', at, request.indexOf(0, at))

describe('a login request', () => {
  // As read in what the iscsiadm of Debian 13 and 12 sent for such a record.
  const places = {
    '2.1.11': { length: 16_112, address: 2260, port: 3288, login: 3300, iface: 3368, transport: 14_542, threads: 0 },
    '2.1.8': { length: 16_104, address: 2252, port: 3280, login: 3292, iface: 3360, transport: 14_534, threads: -20 },
  }
  for (const [version, place] of Object.entries(places)) {
    it(`of ${version} has everything in its place`, () => {
      const request = encode({ 'node.conn[0].timeo.login_timeout': '9', 'node.session.scan': 'manual' }, version)
      assert.equal(request.length, place.length)
      assert.equal(request.readInt32LE(0), 1)
      assert.ok(request.subarray(4, 32).every((byte) => byte === 0))
      assert.equal(text(request, 32), 'iqn.2026-11.test:a')
      assert.equal(request.readInt32LE(288), -1)
      assert.equal(request.readInt32LE(312), place.threads)
      assert.equal(request.readInt32LE(332), 0)
      assert.equal(text(request, place.address), '10.0.0.1')
      assert.equal(request.readInt32LE(place.port), 3261)
      assert.equal(request.readInt32LE(place.login), 9)
      assert.equal(text(request, place.iface), 'default')
      assert.equal(text(request, place.transport), 'tcp')
    })
  }

  it('asks for RDMA as for TCP', () => {
    const request = encode({ 'iface.iscsi_ifacename': 'iser', 'iface.transport_name': 'iser' })
    assert.equal(text(request, 3368), 'iser')
    assert.equal(text(request, 14_542), 'iser')
    const plainRequest = encode({})
    for (const each of [request, plainRequest]) each.fill(0, 3368, 3376).fill(0, 14_542, 14_550)
    assert.ok(request.equals(plainRequest))
  })

  it("has open-iscsi's own values for what the record does not say", () => {
    const request = encode({})
    assert.equal(request.readInt32LE(332), 1, 'scan: auto')
    assert.equal(request.readInt32LE(1392), 120)
    assert.equal(request.readInt32LE(1436), 16_776_192)
    assert.equal(request.readInt32LE(3300), 30)
    assert.deepEqual(integers(request, 1372, 5), [5, -1, -1, -1, -1])
    assert.ok(request.subarray(340, 1372).every((byte) => byte === 0))
  })

  it('has secrets with their lengths in bytes', () => {
    const request = encode({
      'node.session.auth.authmethod': 'CHAP',
      'node.session.auth.username': 'user',
      'node.session.auth.password': 'pässword',
      'node.session.auth.password_in': 'other',
      'node.session.auth.chap_algs': 'SHA3-256,SHA256,SHA1,MD5',
    })
    assert.equal(request.readInt32LE(336), 1)
    assert.equal(text(request, 340), 'user')
    assert.equal(text(request, 596), 'pässword')
    assert.equal(request.readInt32LE(852), 9)
    assert.equal(text(request, 1112), 'other')
    assert.equal(request.readInt32LE(1368), 5)
    assert.deepEqual(integers(request, 1372, 5), [8, 7, 6, 5, -1])
  })

  it('has no two settings in one place', () => {
    for (const { fields, length } of requestLayouts.values()) {
      const offsets = [...fields.values()].map(({ offset }) => offset)
      assert.equal(new Set(offsets).size, offsets.length)
      assert.ok(offsets.every((offset) => offset >= 32 && offset < length))
    }
  })

  const inexpressible: Record<string, Record<string, string>> = {
    'a setting that it does not know': { 'node.session.new_in_some_release': '1' },
    'a setting of a later release': { 'node.session.conn_reopen_log_freq': '1' },
    'a number with a unit': { 'node.session.timeo.replacement_timeout': '2m' },
    'a number that does not fit': { 'node.session.timeo.replacement_timeout': '2147483648' },
    'an empty value': { 'node.session.timeo.replacement_timeout': '' },
    'an empty password': { 'node.session.auth.password': '' },
    'a word that it does not know': { 'node.session.scan': 'Manual' },
    'an algorithm that it does not know': { 'node.session.auth.chap_algs': 'MD5,MD6' },
    'a password that does not fit': { 'node.session.auth.password': 'x'.repeat(256) },
    'an interface that has a record': { 'iface.iscsi_ifacename': 'eth1' },
    'another transport than its interface has': { 'iface.transport_name': 'iser' },
    'a setting of its interface': { 'iface.net_ifacename': 'eth1' },
    'several sessions': { 'node.session.nr_sessions': '2' },
  }
  for (const [name, settings] of Object.entries(inexpressible)) {
    it(`is not made of a record with ${name}`, () => {
      assert.equal(loginRequest(withSettings(settings), layout('2.1.8')), undefined)
    })
  }

  it('is not made of a record without a target or an address', () => {
    for (const name of ['node.name', 'node.conn[0].address']) {
      const record = new Map([...plain].filter(([each]) => each !== name))
      assert.equal(loginRequest(record, layout('2.1.11')), undefined)
    }
  })
})

function integers(request: Buffer, at: number, count: number): number[] {
  return Array.from({ length: count }, (_, place) => request.readInt32LE(at + 4 * place))
}
