import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { writeFileSync } from 'node:fs'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import { listen } from '../../lib/udev/uevents.ts'
import type { Uevent } from '../../lib/udev/uevents.ts'
import { Watch } from '../../lib/wait.ts'
import { eventually, netlinkSockets } from './children/child.ts'

const limit = { timeout: 20_000 }
const never = new AbortController().signal
const skip = getuid?.() !== 0 && 'only root can make uevents'

const announce = (mark: string): void => {
  writeFileSync('/sys/class/mem/null/uevent', `change 12345678-1234-1234-1234-123456789abc MARK=${mark}`)
}
const marked = (mark: string) => (event: Uevent) => event.property('SYNTH_ARG_MARK') === mark

// Where a test is not about the re-check by time, that never comes.
describe('a watch', { skip }, () => {
  it('looks at once, and again after a relevant event', limit, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    using watch = new Watch('kernel', [''], marked('go'))
    let looks = 0
    const found = watch.until(() => {
      looks++
      if (looks === 1) announce('go')
      return looks === 2 ? 'found' : undefined
    }, never)
    assert.equal(looks, 1)
    assert.equal(await found, 'found')
  })

  it('does not wait for what is there', async () => {
    using watch = new Watch('kernel', [''], () => assert.fail('no event was needed'))
    assert.equal(await watch.until(() => 0, never), 0)
    assert.equal(await watch.until(() => Promise.resolve(false), never), false)
  })

  it('keeps what happened between the subscription and the wait', limit, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    let told = false
    using watch = new Watch('kernel', [''], (event) => (told ||= marked('early')(event)))
    announce('early')
    t.mock.timers.reset()
    await eventually(() => told)
    t.mock.timers.enable({ apis: ['setTimeout'] })
    assert.equal(await watch.until(() => told || undefined, never), true)
  })

  it('keeps what happens while it looks', limit, async (t) => {
    let told = false
    using watch = new Watch('kernel', [''], (event) => (told ||= marked('meanwhile')(event)))
    let looks = 0
    const found = watch.until(async () => {
      looks++
      if (looks === 2) return 'found'
      announce('meanwhile')
      await eventually(() => told)
      t.mock.timers.enable({ apis: ['setTimeout'] })
      return undefined
    }, never)
    assert.equal(await found, 'found')
  })

  it('does not look again for events that do not matter', limit, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    let others = 0
    using watch = new Watch('kernel', [''], (event) => {
      if (marked('other')(event)) others++
      return marked('go')(event)
    })
    let looks = 0
    const found = watch.until(() => {
      looks++
      return looks === 2 ? others : undefined
    }, never)
    for (let round = 0; round < 10; round++) announce('other')
    announce('go')
    assert.equal(await found, 10)
  })

  it('looks again after a while without any event', limit, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    using watch = new Watch('kernel', [''], () => false)
    let there = false
    let looks = 0
    const found = watch.until(() => {
      looks++
      return there || undefined
    }, never)
    await new Promise(setImmediate)
    assert.equal(looks, 1)
    there = true
    t.mock.timers.tick(999)
    await new Promise(setImmediate)
    assert.equal(looks, 1)
    t.mock.timers.tick(1)
    assert.equal(await found, true)
    assert.equal(looks, 2)
  })

  it('looks sooner for what is not announced, which is no reason to resynchronize', limit, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    using watch = new Watch('kernel', [''], () => false)
    const calls: string[] = []
    const note = (call: string) => (): true | undefined => {
      calls.push(call)
      return calls.length === 5 || undefined
    }
    const soon = (looks: number): number | undefined => [20, 40][looks - 1]
    const found = watch.until(note('look'), never, note('resync'), soon)
    for (const [milliseconds, looks] of [
      [19, 1],
      [1, 2],
      [39, 2],
      [1, 3],
      [999, 3],
    ] as const) {
      await new Promise(setImmediate)
      t.mock.timers.tick(milliseconds)
      await new Promise(setImmediate)
      assert.equal(calls.length, looks)
    }
    t.mock.timers.tick(1)
    await found
    assert.deepEqual(calls, ['look', 'look', 'look', 'look', 'resync'])
  })

  it('resynchronizes only when nothing was heard for a while', limit, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    using watch = new Watch('kernel', [''], marked('go'))
    const calls: string[] = []
    const look = (): undefined => {
      calls.push('look')
      if (calls.length === 1) announce('go')
      if (calls.length === 2)
        setImmediate(() => {
          t.mock.timers.tick(1000)
        })
    }
    const resync = (): string => {
      calls.push('resync')
      return 'found'
    }
    assert.equal(await watch.until(look, never, resync), 'found')
    assert.deepEqual(calls, ['look', 'look', 'look', 'resync'])
  })

  it('throws the reason of the signal: before, while it waits, and after a look', limit, async () => {
    using watch = new Watch('kernel', [''], () => false)
    const reason = new Error('enough')
    const isReason = (error: unknown): boolean => error === reason
    await assert.rejects(
      watch.until(() => assert.fail('nobody is to look'), AbortSignal.abort(reason)),
      isReason,
    )
    const waiting = new AbortController()
    const found = watch.until(() => undefined, waiting.signal)
    await new Promise(setImmediate)
    waiting.abort(reason)
    await assert.rejects(found, isReason)
    const looking = new AbortController()
    await assert.rejects(
      watch.until(() => {
        looking.abort(reason)
        return undefined
      }, looking.signal),
      isReason,
    )
  })

  it('passes on what the look throws, and can go on', async () => {
    using watch = new Watch('kernel', [''], () => false)
    const defect = new TypeError('defect')
    await assert.rejects(
      watch.until(() => Promise.reject(defect), never),
      (error) => error === defect,
    )
    assert.equal(await watch.until(() => 1, never), 1)
  })

  it('leaves no listener and no timer behind', limit, async () => {
    const { signal } = new AbortController()
    const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
    const before = timers()
    using watch = new Watch('kernel', [''], marked('go'))
    let looks = 0
    await watch.until(() => {
      looks++
      if (looks < 5) announce('go')
      return looks === 5 || undefined
    }, signal)
    assert.equal(getEventListeners(signal, 'abort').length, 0)
    assert.equal(timers(), before)
  })

  it('shares its socket with everybody who listens, and closes it', limit, async () => {
    await eventually(() => netlinkSockets() === 0)
    const listening = listen('kernel', () => undefined)
    const watches = Array.from({ length: 10 }, () => new Watch('kernel', [''], () => false))
    assert.equal(netlinkSockets(), 1)
    for (const watch of watches) watch[Symbol.dispose]()
    listening[Symbol.dispose]()
    await eventually(() => netlinkSockets() === 0)
  })
})
