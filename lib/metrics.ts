import { laneStatistics } from './binding.ts'
import type { LaneStatistics } from './binding.ts'
import { BrickError } from './errors.ts'

/** Calls of one name that have ended. */
export interface CallMetrics {
  readonly count: number
  /** Of all of them together. */
  readonly milliseconds: number
  /** How many failed, by error code; a defect of hostbrick's own by its error's name, such as 'TypeError'. */
  readonly failures: Readonly<Record<string, number>>
}

/** Steps of one name that have ended. */
export interface StepMetrics {
  readonly count: number
  /** Of all of them together. */
  readonly milliseconds: number
  readonly failures: number
}

/** What hostbrick has done in this process. Plain JSON; but for `threads`, numbers that only grow. */
export interface Metrics {
  /** Attaches, detaches, extensions and listings of paths: 'iscsi.connectVolume', 'nvmeof.disconnectVolume' and so on. */
  readonly calls: Readonly<Record<string, CallMetrics>>
  /** Of every call, these and others, its steps by their names in `timings`. */
  readonly steps: Readonly<Record<string, Readonly<Record<string, StepMetrics>>>>
  /** Now: hostbrick's own threads. `parked` ones wait in the kernel for a device that does not answer; nobody waits for them. */
  readonly threads: LaneStatistics
}

type Growing<T> = { -readonly [Key in keyof T]: T[Key] }

const calls = new Map<string, Growing<CallMetrics> & { failures: Record<string, number> }>()
const steps = new Map<string, Map<string, Growing<StepMetrics>>>()

/** Runs a call of a connector, and counts it. */
export async function counted<T>(name: string, run: () => Promise<T>): Promise<T> {
  const start = performance.now()
  let failure: string | undefined
  try {
    return await run()
  } catch (error) {
    failure = error instanceof BrickError ? error.code : (error as Error).name
    throw error
  } finally {
    const sum = calls.get(name) ?? { count: 0, milliseconds: 0, failures: {} }
    sum.count += 1
    sum.milliseconds += performance.now() - start
    if (failure !== undefined) sum.failures[failure] = (sum.failures[failure] ?? 0) + 1
    calls.set(name, sum)
  }
}

/** Counts a step that has ended. */
export function countStep(call: string, step: string, milliseconds: number, failed: boolean): void {
  const ofCall = steps.get(call) ?? new Map<string, Growing<StepMetrics>>()
  const sum = ofCall.get(step) ?? { count: 0, milliseconds: 0, failures: 0 }
  sum.count += 1
  sum.milliseconds += milliseconds
  if (failed) sum.failures += 1
  steps.set(call, ofCall.set(step, sum))
}

/** Counters since this process began, and the state of hostbrick's threads. Costs no system call. */
export function metrics(): Metrics {
  return structuredClone({
    calls: Object.fromEntries(calls),
    steps: Object.fromEntries([...steps].map(([call, ofCall]) => [call, Object.fromEntries(ofCall)])),
    threads: laneStatistics(),
  })
}
