import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import { binding } from '../../lib/binding.ts'
import { watch } from '../../lib/index.ts'
import type { HostWatch, WatchOptions } from '../../lib/index.ts'
import { listenToSessions } from '../../lib/iscsi/session-events.ts'
import { eventually, netlinkSockets } from './children/child.ts'

const limit = { timeout: 20_000 }
const [device] = existsSync('/sys/class/block') ? readdirSync('/sys/class/block') : []
const skip = (getuid?.() !== 0 && 'only root may listen') || (device === undefined && 'no block devices here')

/** Makes the kernel say that a block device has changed, though it has not. */
function announce(): void {
  writeFileSync(`/sys/class/block/${device ?? ''}/uevent`, 'change')
}

const closed = (): Promise<void> => eventually(() => netlinkSockets() === 0)

/** Counts the walks for block devices, and takes away the wait for them. */
function countWalks(t: TestContext): () => number {
  const walk = t.mock.method(binding(), 'walkInParts')
  return () => walk.mock.callCount()
}

/** Counts what the kernel's monitors tell this process, which hears of it all the same. */
function countEvents(t: TestContext): () => number {
  const addon = binding()
  const open = addon.openMonitor.bind(addon)
  let heard = 0
  t.mock.method(addon, 'openMonitor', (...[group, receive]: Parameters<typeof open>) =>
    open(group, (events, lost, look) => {
      heard += events.length
      receive(events, lost, look)
    }),
  )
  return () => heard
}

/** A watch that ends with its test, also with one that fails: it would keep the process alive. */
function watching(t: TestContext, options?: WatchOptions): HostWatch {
  const changes = watch(options)
  t.after(() => changes.return?.())
  return changes
}

describe('a watch', { skip }, () => {
  it('listens from the call on, and closes with the loop', limit, async (t) => {
    await closed()
    const changes = watching(t)
    assert.ok(netlinkSockets() > 0, 'no socket')
    await changes.return?.()
    await closed()
    assert.deepEqual(await changes.next(), { done: true, value: undefined })
  })

  it('can be ended while somebody waits for the next change', limit, async (t) => {
    const changes = watching(t)
    const [first, second] = [changes.next(), changes.next()]
    await changes.return?.()
    assert.deepEqual([await first, await second], Array(2).fill({ done: true, value: undefined }))
    await closed()
  })

  it('has begun when it has looked at everything once', limit, async (t) => {
    const walks = countWalks(t)
    const changes = watching(t)
    await changes.begun
    assert.equal(walks(), 1)
    await changes.return?.()
    await closed()

    const ended = watching(t)
    await ended.return?.()
    await assert.rejects(ended.begun, { name: 'BrickError', code: 'ABORTED', message: /ended before/ })
  })

  it('passes on what is thrown into it', limit, async (t) => {
    const changes = watching(t)
    const defect = new Error('defect')
    await assert.rejects(changes.throw?.(defect) ?? Promise.resolve(), (error) => error === defect)
    await closed()
  })

  it('ends with its signal: at the call, at the next change, or in the midst of waiting', limit, async (t) => {
    const reason = new Error('enough')
    const expected = { name: 'BrickError', code: 'ABORTED', cause: reason }
    assert.throws(() => watch({ signal: AbortSignal.abort(reason) }), expected)

    for (const early of [true, false]) {
      const controller = new AbortController()
      const changes = watching(t, { signal: controller.signal })
      if (early) controller.abort(reason)
      const next = changes.next()
      if (!early)
        setImmediate(() => {
          controller.abort(reason)
        })
      await assert.rejects(next, expected)
      assert.deepEqual(await changes.next(), { done: true, value: undefined })
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
      await closed()
    }
  })

  it('looks once for any number of events, and never while nobody asks', limit, async (t) => {
    const walks = countWalks(t)
    const heard = countEvents(t)
    const changes = watching(t)
    await changes.begun
    for (let round = 0; round < 500; round++) announce()
    await eventually(() => heard() >= 500)
    assert.equal(walks(), 1)
    const before = heard()
    const next = changes.next()
    await eventually(() => walks() >= 2)
    // Other looks would stand in the same line.
    for (let round = 0; round < 50; round++) await binding().listDirectory('inventory', '/sys').result
    // What else happens on this machine meanwhile is a reason to look again, at once and four times later.
    assert.ok(walks() <= 2 + 5 * (heard() - before), `${walks()} looks`)
    await changes.return?.()
    assert.deepEqual(await next, { done: true, value: undefined })
    await closed()
  })

  it('needs no walk of its own for a device that has changed while somebody waited', limit, async (t) => {
    const walks = countWalks(t)
    const heard = countEvents(t)
    const changes = watching(t)
    await changes.begun
    const next = changes.next()
    for (let round = 0; round < 20; round++) {
      // Until it waits again.
      await nextTurn()
      const before = heard()
      announce()
      await eventually(() => heard() > before)
    }
    // But for what else happens on this machine, which may come before it is waited for again.
    assert.ok(walks() <= 1 + 5 * (heard() - 20), `${walks()} walks`)
    await changes.return?.()
    assert.deepEqual(await next, { done: true, value: undefined })
  })

  it('looks again when events were lost', limit, async (t) => {
    // The addon's own word for a loss; that it has it from the kernel is tested elsewhere.
    let lose = (): void => undefined
    t.mock.method(binding(), 'openMonitor', (_group: string, receive: (events: string[], lost: boolean) => void) => {
      lose = () => {
        receive([], true)
      }
      return { only: () => undefined, lookAtNext: () => undefined, close: () => undefined }
    })
    const walks = countWalks(t)
    const changes = watching(t)
    const next = changes.next()
    await eventually(() => walks() === 1)
    lose()
    await eventually(() => walks() >= 2)
    await changes.return?.()
    await next
  })

  it('fails with what the look failed with, and holds nothing open', limit, async (t) => {
    const failure = Object.assign(new Error('no'), { errno: -5, syscall: 'opendir', path: '/sys/class/block' })
    t.mock.method(binding(), 'walkInParts', () => ({ result: Promise.reject(failure), number: 0 }))
    const changes = watching(t)
    await assert.rejects(changes.begun, { name: 'BrickError', code: 'SYSTEM' })
    await assert.rejects(changes.next(), { name: 'BrickError', code: 'SYSTEM' })
    await closed()
  })
})

describe('listening to iSCSI sessions', () => {
  it('says when the kernel has no iSCSI, or that it may not', (t) => {
    try {
      listenToSessions(() => undefined)[Symbol.dispose]()
      t.skip('iSCSI is loaded here')
    } catch (error) {
      assert.match((error as { code?: string }).code ?? '', /^(EPROTONOSUPPORT|EPERM)$/)
    }
  })
})
