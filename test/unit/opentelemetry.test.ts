import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { observeHostbrick } from '../../docs/examples/opentelemetry.ts'
import type { Meter } from '../../docs/examples/opentelemetry.ts'
// The example's own: the package as it is built.
import { LocalConnector } from 'hostbrick'

type Sample = [value: number, attributes: object]

/** Keeps what it is told, and asks when it is read, as a real one does. */
class StandInMeter implements Meter {
  readonly recorded = new Map<string, Sample[]>()
  readonly #callbacks = new Map<string, Parameters<ReturnType<Meter['createObservableGauge']>['addCallback']>[0][]>()

  createHistogram(name: string): ReturnType<Meter['createHistogram']> {
    const samples: Sample[] = []
    this.recorded.set(name, samples)
    return { record: (value, attributes) => void samples.push([value, attributes]) }
  }

  createObservableCounter(name: string): ReturnType<Meter['createObservableCounter']> {
    return { addCallback: (callback) => void this.#callbacks.set(name, [callback]) }
  }

  createObservableGauge(name: string): ReturnType<Meter['createObservableGauge']> {
    return this.createObservableCounter(name)
  }

  read(name: string): Sample[] {
    const samples: Sample[] = []
    const result = { observe: (value: number, attributes = {}) => void samples.push([value, attributes]) }
    for (const callback of this.#callbacks.get(name) ?? []) callback(result)
    return samples
  }
}

describe('the example for OpenTelemetry', () => {
  it('tells a meter of calls, failures, steps and threads', async () => {
    const meter = new StandInMeter()
    observeHostbrick(meter)
    const connector = new LocalConnector()
    const nowhere = { device_path: '/dev/nowhere' }
    assert.deepEqual(await connector.getVolumePaths(nowhere), [])
    await assert.rejects(connector.extendVolume(nowhere), { code: 'DEVICE_NOT_FOUND' })

    assert.deepEqual(meter.read('hostbrick.calls'), [
      [1, { call: 'local.getVolumePaths' }],
      [1, { call: 'local.extendVolume' }],
    ])
    assert.deepEqual(meter.read('hostbrick.failures'), [[1, { call: 'local.extendVolume', code: 'DEVICE_NOT_FOUND' }]])
    assert.deepEqual(meter.read('hostbrick.threads.parked'), [[0, {}]])
    assert.deepEqual(
      meter.recorded.get('hostbrick.step.duration')?.map(([, attributes]) => attributes),
      [
        { call: 'local.getVolumePaths', step: 'find', failed: false },
        { call: 'local.extendVolume', step: 'size', failed: false },
      ],
    )
  })
})
