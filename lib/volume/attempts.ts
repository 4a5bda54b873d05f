import type { BrickError } from '../errors.ts'
import { asBrickError } from '../operation.ts'
import type { Operation } from '../operation.ts'

/** Runs one step; with `force` a failure is noted and the step's result is undefined. */
export type Attempt = <T>(step: string, run: (signal: AbortSignal) => Promise<T>) => Promise<T | undefined>

/** Steps of a detach which `force` does not let fail, and what would have been errors without it. */
export function attempts(force: boolean, operation: Operation): { attempt: Attempt; failures: BrickError[] } {
  const failures: BrickError[] = []
  const attempt: Attempt = async (step, run) => {
    try {
      // Half of the time that is left, so that a device which does not answer can still be removed by force.
      return await operation.step(step, (signal) => run(force ? operation.share(0.5) : signal))
    } catch (error) {
      if (!force || operation.signal.aborted) throw error
      failures.push(asBrickError(error, step))
      return undefined
    }
  }
  return { attempt, failures }
}
