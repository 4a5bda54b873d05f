import assert from 'node:assert/strict'
import { once } from 'node:events'
import { getEventListeners } from 'node:events'
import { readdirSync } from 'node:fs'
import { getuid } from 'node:process'
import { after, before, describe, it } from 'node:test'
import { binding } from '../../lib/binding.ts'
import { lock, lockAlone, lockShared } from '../../lib/lock.ts'
import { eventually, start } from './children/child.ts'

const skip = getuid?.() !== 0 && 'only root has /run/hostbrick'
const limit = { timeout: 20_000 }
const never = new AbortController().signal

let keys = 0
/** A key that no other test, and no other run of the tests, has. */
const fresh = (): string => `test ${process.pid} ${++keys}`

const isIdle = (): boolean => {
  const { queued, running, parked } = binding().laneStatistics()
  return queued + running + parked === 0
}

/** Lets everything go on that could. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Those who wait for a lock, by name, and in which order they got it. */
function queueFor(key: string): { order: string[]; wait: (name: string, signal?: AbortSignal) => Promise<void> } {
  const order: string[] = []
  const wait = async (name: string, signal = never): Promise<void> => {
    using _lock = await lock(key, signal)
    order.push(name)
    await settle()
  }
  return { order, wait }
}

describe('a lock within the process', { skip }, () => {
  it('is held by one at a time, in the order they came', limit, async () => {
    const key = fresh()
    const order: number[] = []
    let holders = 0
    const work = async (number: number): Promise<void> => {
      using _lock = await lock(key, never)
      assert.equal(++holders, 1)
      order.push(number)
      await settle()
      holders--
    }
    const numbers = Array.from({ length: 50 }, (_, number) => number)
    await Promise.all(numbers.map(work))
    assert.deepEqual(order, numbers)
  })

  it('does not keep those with another key waiting', limit, async () => {
    using _one = await lock(fresh(), never)
    using _other = await lock(fresh(), never)
  })

  it('is left by those who give up, wherever they stand; the others get it in order', limit, async () => {
    const key = fresh()
    const held = await lock(key, never)
    const { order, wait } = queueFor(key)
    const [first, middle, last] = [new AbortController(), new AbortController(), new AbortController()]
    const waiting = [
      wait('given up 1', first.signal),
      wait('a'),
      wait('given up 2', middle.signal),
      wait('b'),
      wait('given up 3', last.signal),
    ]
    const outcomes = Promise.allSettled(waiting)
    const reason = new Error('enough')
    middle.abort(reason)
    await assert.rejects(waiting[2] ?? assert.fail(), (error) => error === reason)
    // Leaving early is no way past those who were there before.
    await settle()
    assert.deepEqual(order, [])
    last.abort(reason)
    first.abort(reason)
    held[Symbol.dispose]()
    assert.deepEqual(
      (await outcomes).map(({ status }) => status),
      ['rejected', 'fulfilled', 'rejected', 'fulfilled', 'rejected'],
    )
    assert.deepEqual(order, ['a', 'b'])
    assert.equal(getEventListeners(first.signal, 'abort').length, 0)
  })

  it('is not had earlier by who comes when the last one has given up', limit, async () => {
    const key = fresh()
    const held = await lock(key, never)
    const { order, wait } = queueFor(key)
    const first = wait('first')
    const impatient = new AbortController()
    const given = wait('given up', impatient.signal)
    impatient.abort(new Error('enough'))
    await assert.rejects(given)
    const last = wait('last')
    await settle()
    assert.equal(binding().laneStatistics().running, 0, 'nobody waits for the file')
    held[Symbol.dispose]()
    await Promise.all([first, last])
    assert.deepEqual(order, ['first', 'last'])
  })

  it('is not waited for when the signal has fired', async () => {
    const key = fresh()
    const reason = new Error('enough')
    await assert.rejects(lock(key, AbortSignal.abort(reason)), (error) => error === reason)
    using _lock = await lock(key, never)
  })

  it('is given back once, however often that is said', limit, async () => {
    const key = fresh()
    const held = await lock(key, never)
    held[Symbol.dispose]()
    const next = await lock(key, never)
    held[Symbol.dispose]()
    const third = lock(key, never)
    await settle()
    assert.equal(binding().laneStatistics().running, 0)
    next[Symbol.dispose]()
    ;(await third)[Symbol.dispose]()
  })

  it('leaves no listener on a signal that lives on, and no file but one', async () => {
    const { signal } = new AbortController()
    for (let round = 0; round < 5; round++) {
      using _lock = await lock(fresh(), signal)
    }
    assert.equal(getEventListeners(signal, 'abort').length, 0)
    assert.deepEqual(readdirSync('/run/hostbrick'), ['locks'])
  })
})

describe('a share', { skip }, () => {
  it('is had by many, whoever has the lock', limit, async () => {
    const key = fresh()
    using _one = await lockShared(key, never)
    using _other = await lockShared(key, never)
    using _lock = await lock(key, never)
    using _late = await lockShared(key, never)
  })

  it('keeps out who wants the lock alone, with whom everybody waits', limit, async () => {
    const key = fresh()
    const [one, other] = [await lockShared(key, never), await lockShared(key, never)]
    const order: string[] = []
    const alone = lockAlone(key, never).then((held) => {
      order.push('alone')
      held[Symbol.dispose]()
    })
    const next = lock(key, never).then((held) => {
      order.push('next')
      held[Symbol.dispose]()
    })
    one[Symbol.dispose]()
    await eventually(() => binding().laneStatistics().running === 1)
    assert.deepEqual(order, [])
    other[Symbol.dispose]()
    await Promise.all([alone, next])
    assert.deepEqual(order, ['alone', 'next'])
    using _again = await lockShared(key, never)
  })

  it('is not waited for longer than the signal says, and the lock is free then', limit, async () => {
    const key = fresh()
    using _share = await lockShared(key, never)
    const reason = new Error('enough')
    await assert.rejects(lockAlone(key, AbortSignal.abort(reason)), (error) => error === reason)
    const caller = new AbortController()
    const alone = lockAlone(key, caller.signal)
    await eventually(() => binding().laneStatistics().running === 1)
    caller.abort(reason)
    await assert.rejects(alone, (error) => error === reason)
    using _lock = await lock(key, never)
  })
})

describe('a lock of another process', { skip }, () => {
  const [given, aborted, crashed, other] = [fresh(), fresh(), fresh(), fresh()]
  let holder: ReturnType<typeof start> | undefined
  before(async () => {
    holder = start('holder.ts', [given, aborted, crashed])
    const [chunk] = (await once(holder.stdout ?? assert.fail(), 'data')) as unknown[]
    assert.equal(String(chunk), 'held\n')
  })
  after(() => {
    holder?.kill('SIGKILL')
  })

  it('leaves the others free', limit, async () => {
    using _lock = await lock(other, never)
  })

  it('is waited for until it is given back', limit, async () => {
    const waiting = lock(given, never)
    await eventually(() => binding().laneStatistics().running === 1)
    holder?.stdin?.write(`${given}\n`)
    using _lock = await waiting
  })

  it('is given up on abort, and can be had later', limit, async () => {
    const caller = new AbortController()
    const waiting = lock(aborted, caller.signal)
    await eventually(() => binding().laneStatistics().running === 1)
    const reason = new Error('enough')
    caller.abort(reason)
    await assert.rejects(waiting, (error) => error === reason)
    assert.equal(binding().laneStatistics().parked, 1)
    const next = lock(aborted, never)
    holder?.stdin?.write(`${aborted}\n`)
    const held = await next
    held[Symbol.dispose]()
    await eventually(isIdle)
  })

  it('is free when that process crashes', limit, async () => {
    const waiting = lock(crashed, never)
    await eventually(() => binding().laneStatistics().running === 1)
    holder?.kill('SIGKILL')
    using _lock = await waiting
  })
})
