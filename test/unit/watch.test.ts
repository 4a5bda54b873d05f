import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { binding } from '../../lib/binding.ts'
import { watch } from '../../lib/index.ts'
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

describe('a watch', { skip }, () => {
  it('listens from the call on, and closes with the loop', limit, async () => {
    await closed()
    const changes = watch()
    assert.ok(netlinkSockets() > 0, 'no socket')
    await changes.return?.()
    await closed()
    assert.deepEqual(await changes.next(), { done: true, value: undefined })
  })

  it('can be ended while somebody waits for the next change', limit, async () => {
    const changes = watch()
    const [first, second] = [changes.next(), changes.next()]
    await changes.return?.()
    assert.deepEqual([await first, await second], Array(2).fill({ done: true, value: undefined }))
    await closed()
  })

  it('has begun when it has looked at everything once', limit, async (t) => {
    const walks = countWalks(t)
    const changes = watch()
    await changes.begun
    assert.equal(walks(), 1)
    await changes.return?.()
    await closed()

    const ended = watch()
    await ended.return?.()
    await assert.rejects(ended.begun, { name: 'BrickError', code: 'ABORTED', message: /ended before/ })
  })

  it('passes on what is thrown into it', limit, async () => {
    const changes = watch()
    const defect = new Error('defect')
    await assert.rejects(changes.throw?.(defect) ?? Promise.resolve(), (error) => error === defect)
    await closed()
  })

  it('ends with its signal: at the call, at the next change, or in the midst of waiting', limit, async () => {
    const reason = new Error('enough')
    const expected = { name: 'BrickError', code: 'ABORTED', cause: reason }
    assert.throws(() => watch({ signal: AbortSignal.abort(reason) }), expected)

    for (const early of [true, false]) {
      const controller = new AbortController()
      const changes = watch({ signal: controller.signal })
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
    const changes = watch()
    let heard = 0
    const monitor = binding().openMonitor('kernel', (events) => (heard += events.length))
    monitor.only([''])
    await eventually(() => walks() === 1)
    for (let round = 0; round < 500; round++) announce()
    await eventually(() => heard >= 500)
    monitor.close()
    assert.equal(walks(), 1)
    const next = changes.next()
    await eventually(() => walks() === 2)
    // Another look would stand in the line behind the first.
    for (let round = 0; round < 5; round++) await binding().listDirectory('inventory', '/sys').result
    assert.equal(walks(), 2)
    await changes.return?.()
    assert.deepEqual(await next, { done: true, value: undefined })
    await closed()
  })

  it('looks again when events were lost', limit, async (t) => {
    // The addon's own word for a loss; that it has it from the kernel is tested elsewhere.
    let lose = (): void => undefined
    t.mock.method(binding(), 'openMonitor', (_group: string, receive: (events: string[], lost: boolean) => void) => {
      lose = () => {
        receive([], true)
      }
      return { only: () => undefined, close: () => undefined }
    })
    const walks = countWalks(t)
    const changes = watch()
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
    const changes = watch()
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
