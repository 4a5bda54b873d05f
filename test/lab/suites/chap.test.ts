/** CHAP, one way and both ways, and where its secrets are not. */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readdirSync, readFileSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { BrickError, ISCSIConnector } from 'hostbrick'
import { startIscsid, type Daemon } from '../daemons.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'

const IQN = 'iqn.2026-11.lab:chap'
const [OUR_SECRET, THEIR_SECRET] = ['what-the-host-says', 'what-the-target-says']
const open = { target_portal: '127.0.0.1:3260', target_iqn: IQN, target_lun: 0 }
const oneWay = { ...open, auth_method: 'CHAP', auth_username: 'host', auth_password: OUR_SECRET }
const bothWays = { ...oneWay, auth_username_in: 'target', auth_password_in: THEIR_SECRET }
const connector = new ISCSIConnector()

let iscsid: Daemon
let target: IscsiTarget
let clean: Snapshot

before(async () => {
  iscsid = await startIscsid()
  const chap = { username: 'host', password: OUR_SECRET, usernameIn: 'target', passwordIn: THEIR_SECRET }
  target = iscsiTarget({
    iqn: IQN,
    portals: ['127.0.0.1:3260'],
    luns: { 0: { megabytes: 16 }, 1: { megabytes: 16 } },
    chap,
  })
  await connector.disconnectVolume(oneWay, await connector.connectVolume(oneWay))
  await settled()
  clean = snapshot()
})
after(async () => {
  target.remove()
  await iscsid.stop()
})
afterEach(async () => {
  await assertNothingLeft(clean)
})

describe('a target with CHAP', () => {
  for (const [name, properties] of Object.entries({ 'one way': oneWay, 'both ways': bothWays })) {
    it(`lets in who knows the secret: ${name}`, async () => {
      const watch = watchCommandLines()
      const info = await connector.connectVolume(properties)
      await connector.disconnectVolume(properties, info)
      const seen = watch.stop()
      assert.ok(seen.size > 0)
      for (const secret of [OUR_SECRET, THEIR_SECRET]) {
        assert.ok(![...seen].some((commandLine) => commandLine.includes(secret)), 'a secret in a command line')
        assert.ok(!inspect(info, { depth: null }).includes(secret))
      }
    })
  }

  it('is not asked again for another volume in the same session', async () => {
    const neighbour = { ...open, target_lun: 1 }
    const info = await connector.connectVolume(oneWay)
    const other = await connector.connectVolume(neighbour)
    await connector.disconnectVolume(oneWay, info)
    await connector.disconnectVolume(neighbour, other)
  })

  const wrong = {
    'a wrong password': { ...oneWay, auth_password: 'not-what-the-host-says' },
    'a target that does not know its own': { ...bothWays, auth_password_in: 'not-what-the-target-says' },
    'no credentials': open,
  }
  for (const [name, properties] of Object.entries(wrong)) {
    it(`is AUTH_FAILED with ${name}`, async () => {
      const steps = collectSteps()
      // Nobody tries a password again that was wrong.
      await assert.rejects(connector.connectVolume(properties, { timeout: 2500 }), (error) => {
        assert.ok(error instanceof BrickError, String(error))
        assert.equal(error.code, 'AUTH_FAILED', error.message)
        const told = inspect([error, steps.stop()], { depth: null }) + JSON.stringify(error.details)
        assert.ok(!told.includes('says'), 'a secret in the error')
        return true
      })
    })
  }
})

/** Collects what is told of a call, step by step. */
function collectSteps(): { stop: () => unknown[] } {
  const told: unknown[] = []
  const listener = (message: unknown): void => {
    told.push(message)
  }
  subscribe('hostbrick:step', listener)
  return {
    stop() {
      unsubscribe('hostbrick:step', listener)
      return told
    },
  }
}

/** Collects the command lines of all processes of this host, as often as the event loop lets it. */
function watchCommandLines(): { stop: () => Set<string> } {
  const seen = new Set<string>()
  const look = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
      } catch {
        // ended in the meantime
      }
    }
  }
  const timer = setInterval(look, 5)
  return {
    stop() {
      clearInterval(timer)
      return seen
    },
  }
}
