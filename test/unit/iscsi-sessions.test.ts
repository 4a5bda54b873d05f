import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tcp } from '../../lib/iscsi/interface.ts'
import { formatPortal, parsePortal } from '../../lib/iscsi/portal.ts'
import { leadsTo, readSessions, sharesPortal, unitOf } from '../../lib/iscsi/sessions.ts'
import { RecordedHost } from './recorded-host.ts'

const iser = { name: 'iser', transport: 'iser' }
const adapter = { name: 'cxgb4i.00:07:43:06:02:68', transport: 'cxgb4i' }
const network = { name: 'storage', transport: 'tcp' }
const target = { portal: parsePortal('10.0.0.1:3260'), iqn: 'iqn.2026-11.test:a' }
const session = {
  id: 7,
  host: 4,
  targetId: 2,
  over: tcp,
  targetName: 'IQN.2026-11.test:A',
  portal: target.portal,
  peer: target.portal,
  state: 'LOGGED_IN',
  units: [],
}

describe('a session leads to a target', () => {
  const cases: [string, typeof tcp, typeof tcp | undefined, boolean][] = [
    ['over TCP, if that is asked for', tcp, tcp, true],
    ['over TCP, if nothing is asked for', tcp, undefined, true],
    ['not over TCP, if RDMA is asked for', tcp, iser, false],
    ['not over RDMA, if nothing is asked for', iser, undefined, false],
    ['over RDMA, if that is asked for', iser, iser, true],
    ['over TCP by an interface with a record, if TCP is asked for', network, tcp, true],
    ['not over TCP by another interface than the one asked for', tcp, network, false],
    ['over the adapter that is asked for', adapter, adapter, true],
    ['not over another adapter', { ...adapter, name: 'cxgb4i.1' }, adapter, false],
  ]
  for (const [name, over, asked, leads] of cases) {
    it(name, () => {
      const place = asked ? { ...target, over: asked } : target
      assert.equal(leadsTo({ ...session, over }, place), leads)
      assert.equal(sharesPortal({ ...session, over }, place), true)
    })
  }

  it('at the same portal and by the same name only', () => {
    assert.equal(leadsTo(session, { ...target, portal: parsePortal('10.0.0.11:3260') }), false)
    assert.equal(leadsTo(session, { ...target, iqn: `${target.iqn}b` }), false)
    assert.equal(leadsTo({ ...session, portal: null }, target), false)
  })
})

describe('a unit', () => {
  it("is where the session's target is on its host", () => {
    assert.deepEqual(unitOf(session, 3), { hctl: '4:0:2:3', host: 4 })
  })

  it('is nowhere when the kernel does not say where that is', () => {
    assert.throws(() => unitOf({ ...session, targetId: null }, 3), { code: 'NOT_SUPPORTED' })
  })
})

describe('a session that is being made', () => {
  it('has no portal until all of it is set', async (t) => {
    const host = new RecordedHost(t)
    const place = '/devices/platform/host2/session1'
    const [made, connection] = [
      `${place}/iscsi_session/session1`,
      `${place}/connection1:0/iscsi_connection/connection1:0`,
    ]
    host.write(`/sys${made}/uevent`, '')
    host.write(`/sys${connection}/uevent`, '')
    host.link('/sys/class/iscsi_session/session1', `/sys${made}`)
    host.link('/sys/class/iscsi_connection/connection1:0', `/sys${connection}`)
    const { signal } = new AbortController()
    const portals: unknown[] = []
    for (const [address, port] of [
      ['(null)', '0'],
      ['10.0.0.1', '0'],
      ['10.0.0.1', '3260'],
    ]) {
      for (const prefix of ['persistent_', '']) {
        host.write(`/sys${connection}/${prefix}address`, `${address}\n`)
        host.write(`/sys${connection}/${prefix}port`, `${port}\n`)
      }
      const sessions = await readSessions(signal)
      portals.push(
        sessions.map(({ id, portal, peer }) => [id, portal && formatPortal(portal), peer && formatPortal(peer)]),
      )
    }
    assert.deepEqual(portals, [[[1, null, null]], [[1, null, null]], [[1, '10.0.0.1:3260', '10.0.0.1:3260']]])
  })
})
