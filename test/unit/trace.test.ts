import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Trace } from '../../lib/trace.ts'
import type { StepMessage } from '../../lib/trace.ts'

async function listening(run: () => Promise<void>): Promise<StepMessage[]> {
  const heard: StepMessage[] = []
  const listen = (message: unknown): void => void heard.push(message as StepMessage)
  subscribe('hostbrick:step', listen)
  try {
    await run()
  } finally {
    unsubscribe('hostbrick:step', listen)
  }
  return heard
}

describe('a trace', () => {
  it('adds up the steps of one name, failed ones too', async () => {
    const trace = new Trace('call')
    const heard = await listening(async () => {
      await trace.step('a', () => delay(2))
      await trace.step('b', () => delay(2))
      await assert.rejects(trace.step('a', () => delay(2).then(() => assert.fail())))
    })
    assert.deepEqual(Object.keys(trace.timings), ['a', 'b', 'total'])
    const sum = heard.filter(({ step }) => step === 'a').reduce((total, { milliseconds }) => total + milliseconds, 0)
    assert.ok(Math.abs((trace.timings['a'] ?? 0) - sum) < 0.01)
  })

  it('has microseconds, and nothing finer', async () => {
    const trace = new Trace('call')
    await trace.step('a', () => delay(1))
    for (const time of Object.values(trace.timings)) assert.equal(time, Number(time.toFixed(3)))
  })

  it('says that a step begins before it does anything', async () => {
    const trace = new Trace('call')
    const order: unknown[] = []
    const listen = (message: unknown): void => void order.push(message)
    subscribe('hostbrick:step:start', listen)
    try {
      const [ended] = await listening(() =>
        trace.step('a', () => {
          order.push('running')
          return Promise.resolve()
        }),
      )
      assert.ok(ended, 'nothing is said of its end')
      assert.deepEqual(order, [{ call: 'call', step: 'a', start: ended.start }, 'running'])
    } finally {
      unsubscribe('hostbrick:step:start', listen)
    }
  })

  it('gives copies', async () => {
    const trace = new Trace('call')
    await trace.step('a', () => Promise.resolve())
    trace.timings['a'] = 1e9
    assert.notEqual(trace.timings['a'], 1e9)
  })

  it('says when each step began, and what it failed with', async () => {
    const trace = new Trace('call')
    const error = new Error('no')
    const heard = await listening(async () => {
      await trace.step('a', () => delay(2))
      await assert.rejects(trace.step('b', () => Promise.reject(error)))
    })
    const [a, b] = heard
    assert.ok(a && b)
    assert.deepEqual([a.call, a.step, b.call, b.step, b.error], ['call', 'a', 'call', 'b', error])
    assert.ok(a.start >= 0 && b.start >= a.start + a.milliseconds)
    assert.ok(!('error' in a))
  })
})
