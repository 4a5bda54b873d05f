/** What an attach does while the programs that it needs fail it. */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { BrickError, ISCSIConnector } from 'hostbrick'
import type { StepMessage } from 'hostbrick'
import { startIscsid, type Daemon } from '../daemons.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'

const IQN = 'iqn.2026-11.lab:faults'
const volume = { target_portal: '127.0.0.1:3260', target_iqn: IQN, target_lun: 0 }
const connector = new ISCSIConnector()

let iscsid: Daemon
let target: IscsiTarget
let clean: Snapshot

before(async () => {
  iscsid = await startIscsid()
  target = iscsiTarget({ iqn: IQN, portals: ['127.0.0.1:3260'], luns: { 0: { megabytes: 16 } } })
  await connector.disconnectVolume(volume, await connector.connectVolume(volume))
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

describe('iscsid', () => {
  for (const step of ['portal', 'record', 'login']) {
    it(`is killed after the step '${step}' of an attach`, async () => {
      const killed = onceAfter(step, () => {
        process.kill(iscsid.pid, 'SIGKILL')
      })
      const outcome = await connector.connectVolume(volume, { timeout: 20_000 }).catch((error: unknown) => error)
      killed.stop()
      await iscsid.stop()
      iscsid = await startIscsid()
      // With the login done the attach needs it no more.
      if (step !== 'login') assert.equal(outcome instanceof BrickError, true, String(outcome))
      await detachWhenPossible()
    })
  }
})

describe("open-iscsi's database", () => {
  it('is waited for while another program has it', async (test) => {
    const lock = holdDatabase(test)
    const freed = onceAfter('portal', () => {
      globalThis.setTimeout(lock.lift, 500)
    })
    const info = await connector.connectVolume(volume)
    freed.stop()
    await connector.disconnectVolume(volume, info)
  })

  it('is not waited for for ever', async (test) => {
    const lock = holdDatabase(test)
    const error: unknown = await connector.connectVolume(volume).catch((reason: unknown) => reason)
    lock.lift()
    assert.equal(error instanceof BrickError && error.code, 'BUSY', String(error))
  })
})

/** A new iscsid takes over the sessions of the one before it, and connects them anew, in its own time. */
async function detachWhenPossible(): Promise<void> {
  const deadline = Date.now() + 40_000
  for (;;) {
    try {
      await connector.disconnectVolume(volume)
      return
    } catch (error) {
      if (!(error instanceof BrickError && error.retryable) || Date.now() > deadline) throw error
      await setTimeout(100)
    }
  }
}

/** The lock that iscsiadm takes, until the test ends or it is lifted: idbm_lock in open-iscsi's usr/idbm.c. */
function holdDatabase(test: TestContext): { lift: () => void } {
  const folder = '/run/lock/iscsi'
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/lock`, '')
  linkSync(`${folder}/lock`, `${folder}/lock.write`)
  const lift = (): void => {
    rmSync(`${folder}/lock.write`, { force: true })
  }
  test.after(lift)
  return { lift }
}

/** Acts when this step of a call has ended for the first time. */
function onceAfter(step: string, act: () => void): { stop: () => void } {
  const listener = (message: unknown): void => {
    if ((message as StepMessage).step !== step) return
    unsubscribe('hostbrick:step', listener)
    act()
  }
  subscribe('hostbrick:step', listener)
  return {
    stop() {
      unsubscribe('hostbrick:step', listener)
    },
  }
}
