import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Operation } from '../../lib/operation.ts'
import { Rollback } from '../../lib/rollback.ts'

describe('a rollback', () => {
  it('undoes everything, the latest first, one at a time, and once', async () => {
    using operation = new Operation('test')
    const rollback = new Rollback()
    const order: string[] = []
    for (const name of ['a', 'b', 'c']) {
      rollback.add(name, async () => {
        order.push(`${name} begins`)
        await Promise.resolve()
        order.push(`${name} ends`)
      })
    }
    assert.deepEqual(await rollback.run(operation), [])
    assert.deepEqual(order, ['c begins', 'c ends', 'b begins', 'b ends', 'a begins', 'a ends'])
    assert.deepEqual(await rollback.run(operation), [])
    assert.equal(order.length, 6)
  })

  it('goes on past a failure, and returns it with its step', async () => {
    using operation = new Operation('test')
    const rollback = new Rollback()
    const failures = [new Error('a'), new Error('c')]
    let undone = false
    rollback.add('a', () => Promise.reject(new Error('a')))
    rollback.add('b', () => {
      undone = true
      return Promise.resolve()
    })
    // Not even a promise.
    rollback.add('c', () => {
      throw new Error('c')
    })
    assert.deepEqual(await rollback.run(operation), [
      { step: 'undo c', error: failures[1] },
      { step: 'undo a', error: failures[0] },
    ])
    assert.ok(undone)
    assert.deepEqual(Object.keys(operation.trace.timings), ['undo c', 'undo b', 'undo a', 'total'])
  })

  it('runs though the call was aborted', async () => {
    using operation = new Operation('test', { signal: AbortSignal.abort() })
    const rollback = new Rollback()
    rollback.add('a', (signal) => {
      signal.throwIfAborted()
      return Promise.resolve()
    })
    assert.deepEqual(await rollback.run(operation), [])
  })

  it('with nothing to undo is content', async () => {
    using operation = new Operation('test')
    assert.deepEqual(await new Rollback().run(operation), [])
  })
})
