/** Discovery of iSCSI targets, through the public API, against LIO and next to iscsiadm. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { after, afterEach, before, describe, it } from 'node:test'
import { BrickError, discoverIscsiTargets } from 'hostbrick'
import type { DiscoveredTarget, ErrorCode } from 'hostbrick'
import { run } from '../command.ts'
import { startIscsid, type Daemon } from '../daemons.ts'
import { blackHole } from '../network.ts'
import { difference, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, requireDiscoveryChap, type IscsiTarget } from '../targets.ts'

const PORTAL = '127.0.0.1:3260'
const IQN = 'iqn.2026-11.lab:discovery'
const oneWay = { username: 'lab-host', password: 'lab-secret-of-host' }
const mutual = { ...oneWay, usernameIn: 'lab-portal', passwordIn: 'lab-secret-of-portal' }

let iscsid: Daemon
let targets: IscsiTarget[]
let clean: Snapshot

before(async () => {
  iscsid = await startIscsid()
  targets = [
    iscsiTarget({ iqn: `${IQN}:1`, portals: [PORTAL], luns: { 0: { megabytes: 8 } } }),
    iscsiTarget({ iqn: `${IQN}:10`, portals: [PORTAL, '127.0.0.2:3261', '[::1]:3260'], luns: {} }),
    iscsiTarget({ iqn: `${IQN}:11`, portals: ['127.0.0.3:3260'], luns: {} }),
  ]
  clean = snapshot()
})
after(async () => {
  for (const target of targets) target.remove()
  await iscsid.stop()
})
afterEach(() => {
  assert.deepEqual(difference(clean, snapshot()), [], 'something is left behind')
})

describe('discovery', () => {
  it('finds every target with all its portals, in JSON', async () => {
    const found = await discoverIscsiTargets(PORTAL)
    assert.deepEqual(lines(found), expected())
    assert.deepEqual(JSON.parse(JSON.stringify(found)), found)
    assert.ok(found.every(({ portals }) => portals.every(({ group }) => group === 1)))
  })

  it('finds the same at an IPv6 portal and behind a host name', async () => {
    assert.deepEqual(lines(await discoverIscsiTargets('[::1]:3260')), expected())
    assert.deepEqual(lines(await discoverIscsiTargets('localhost')), expected())
  })

  it('finds what iscsiadm finds', async () => {
    const listed = run('iscsiadm', '--mode', 'discovery', '--type', 'sendtargets', '--portal', PORTAL)
    run('iscsiadm', '--mode', 'discoverydb', '--type', 'sendtargets', '--portal', PORTAL, '--op', 'delete')
    const theirs = listed.trim().split('\n').sort()
    assert.deepEqual(lines(await discoverIscsiTargets(PORTAL)), theirs)
  })

  it('finds more targets than LIO tells in one PDU', async () => {
    const many = Array.from({ length: 12 }, (_, number) =>
      iscsiTarget({
        iqn: `${IQN}:many-${number}-`.padEnd(223, 'x'), // the longest name that there is
        portals: Array.from({ length: 100 }, (_, port) => `127.0.0.4:${4000 + port}`),
        luns: {},
      }),
    )
    try {
      const found = await discoverIscsiTargets(PORTAL)
      assert.equal(found.length, targets.length + many.length)
      assert.equal(found.at(-1)?.portals.length, 100)
    } finally {
      for (const target of many) target.remove()
    }
  })

  it('does 20 at once', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => discoverIscsiTargets(PORTAL)))
    for (const found of all) assert.deepEqual(lines(found), expected())
  })
})

describe('CHAP', () => {
  it('lets in who knows the secret, and nobody else', async () => {
    const guard = requireDiscoveryChap(oneWay)
    try {
      assert.deepEqual(lines(await discoverIscsiTargets(PORTAL, { credentials: oneWay })), expected())
      await rejects('AUTH_FAILED', discoverIscsiTargets(PORTAL))
      const start = performance.now()
      await rejects('AUTH_FAILED', wrong({ password: 'lab-secret-of-guest' }))
      assert.ok(performance.now() - start < 2000)
      await rejects('AUTH_FAILED', wrong({ username: 'lab-guest' }))
    } finally {
      guard.lift()
    }
  })

  it('is mutual where the portal has to prove itself', async () => {
    const guard = requireDiscoveryChap(mutual)
    try {
      assert.deepEqual(lines(await discoverIscsiTargets(PORTAL, { credentials: mutual })), expected())
      await rejects('AUTH_FAILED', wrong({ ...mutual, passwordIn: 'lab-secret-of-guest' }))
      await rejects('AUTH_FAILED', wrong({ ...mutual, usernameIn: 'lab-guest' }))
    } finally {
      guard.lift()
    }
  })

  it('that nobody asks for does no harm', async () => {
    assert.deepEqual(lines(await discoverIscsiTargets(PORTAL, { credentials: oneWay })), expected())
  })
})

describe('no discovery', () => {
  it('at a closed port', async () => {
    await rejects('PORTAL_UNREACHABLE', discoverIscsiTargets('127.0.0.1:3999'))
  })

  it('into a black hole, which is given up in time', async () => {
    const hole = blackHole('127.0.0.1', 3260)
    const start = performance.now()
    await rejects('TIMEOUT', discoverIscsiTargets(PORTAL, { timeout: 1000 }))
    const milliseconds = performance.now() - start
    hole.lift()
    // A busy machine may be late by a little.
    assert.ok(milliseconds < 10_000, `${milliseconds} ms`)
  })
})

function wrong(change: Partial<typeof mutual>): Promise<DiscoveredTarget[]> {
  return discoverIscsiTargets(PORTAL, { credentials: { ...oneWay, ...change } })
}

/** As iscsiadm prints them, sorted. */
function lines(found: DiscoveredTarget[]): string[] {
  return found
    .flatMap(({ iqn, portals }) => portals.map(({ portal, group }) => `${portal},${group ?? -1} ${iqn}`))
    .sort()
}

function expected(): string[] {
  return targets.flatMap(({ iqn, portals }) => portals.map((portal) => `${portal},1 ${iqn}`)).sort()
}

async function rejects(code: ErrorCode, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof BrickError, String(error))
    assert.equal(error.code, code, error.message)
    assert.ok(!inspect(error, { depth: 9 }).includes('lab-secret'), 'a secret is shown')
    return true
  })
}
