import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { LocalConnector, metrics } from '../../lib/index.ts'
import type { Metrics } from '../../lib/index.ts'
import { counted } from '../../lib/metrics.ts'
import { Trace } from '../../lib/trace.ts'

const connector = new LocalConnector()
const nowhere = { device_path: '/dev/nowhere' }

const none = { count: 0, milliseconds: 0, failures: {} }
const called = (verb: string): Metrics['calls'][string] => metrics().calls[`local.${verb}`] ?? none

describe('metrics', () => {
  it('count calls by name, and failures by code', async () => {
    await connector.disconnectVolume(nowhere)
    await connector.disconnectVolume(nowhere)
    assert.deepEqual([called('disconnectVolume').count, called('disconnectVolume').failures], [2, {}])

    await assert.rejects(connector.extendVolume(nowhere))
    await assert.rejects(connector.extendVolume({}))
    await assert.rejects(connector.extendVolume({}))
    assert.deepEqual(
      [called('extendVolume').count, called('extendVolume').failures],
      [3, { DEVICE_NOT_FOUND: 1, INVALID_ARGUMENT: 2 }],
    )
  })

  it("count defects by their error's name", async () => {
    await assert.rejects(counted('test.defect', () => Promise.reject(new TypeError('no'))))
    assert.deepEqual(metrics().calls['test.defect']?.failures, { TypeError: 1 })
  })

  it('add up the time of calls and of steps', async () => {
    const trace = new Trace('test.call')
    await counted('test.call', () => trace.step('a', () => delay(2)))
    await assert.rejects(counted('test.call', () => trace.step('a', () => Promise.reject(new Error('no')))))
    const { calls, steps } = metrics()
    const [call, step] = [calls['test.call'], steps['test.call']?.['a']]
    assert.deepEqual([call?.count, step?.count, step?.failures], [2, 2, 1])
    assert.ok((call?.milliseconds ?? 0) >= (step?.milliseconds ?? Infinity), 'the step is a part of the call')
    assert.ok(Math.abs((step?.milliseconds ?? 0) - (trace.timings['a'] ?? 0)) < 0.01, 'as the trace has it')
  })

  it('are copies, and JSON', async () => {
    await connector.disconnectVolume(nowhere)
    const before = metrics()
    await connector.disconnectVolume(nowhere)
    assert.equal(called('disconnectVolume').count, (before.calls['local.disconnectVolume']?.count ?? 0) + 1)
    assert.deepEqual(JSON.parse(JSON.stringify(before)), before)
  })
})
