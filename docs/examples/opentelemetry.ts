/** hostbrick's counters as OpenTelemetry metrics: call once, with a meter of @opentelemetry/api. */
import { subscribe } from 'node:diagnostics_channel'
import { metrics } from 'hostbrick'
import type { StepMessage } from 'hostbrick'

type Attributes = Record<string, string | boolean>
interface Description {
  unit?: string
  description: string
}
interface Observable {
  addCallback(callback: (result: { observe(value: number, attributes?: Attributes): void }) => void): void
}

/** What is used of @opentelemetry/api's Meter. */
export interface Meter {
  createHistogram(name: string, options: Description): { record(value: number, attributes: Attributes): void }
  createObservableCounter(name: string, options: Description): Observable
  createObservableGauge(name: string, options: Description): Observable
}

export function observeHostbrick(meter: Meter): void {
  const duration = meter.createHistogram('hostbrick.step.duration', {
    unit: 's',
    description: 'How long the steps of calls take',
  })
  subscribe('hostbrick:step', (message) => {
    const { call, step, milliseconds, error } = message as StepMessage
    duration.record(milliseconds / 1000, { call, step, failed: error !== undefined })
  })

  const calls = meter.createObservableCounter('hostbrick.calls', { description: 'Attaches, detaches and so on' })
  calls.addCallback((result) => {
    for (const [call, { count }] of Object.entries(metrics().calls)) result.observe(count, { call })
  })

  const failures = meter.createObservableCounter('hostbrick.failures', { description: 'Calls that failed, by code' })
  failures.addCallback((result) => {
    for (const [call, { failures: byCode }] of Object.entries(metrics().calls)) {
      for (const [code, count] of Object.entries(byCode)) result.observe(count, { call, code })
    }
  })

  const parked = meter.createObservableGauge('hostbrick.threads.parked', {
    description: 'Threads that wait in the kernel for a device that does not answer',
  })
  parked.addCallback((result) => {
    result.observe(metrics().threads.parked)
  })
}
