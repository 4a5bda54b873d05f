import type { BrickError } from './errors.ts'
import { lockAlone } from './lock.ts'
import { asBrickError } from './operation.ts'
import type { Operation } from './operation.ts'

/** One undoing that failed. */
export interface Leftover {
  readonly step: string
  readonly error: unknown
}

/** What a call has done so far, and how each of it is undone. */
export class Rollback {
  readonly #actions: { name: string; undo: (signal: AbortSignal) => Promise<void> }[] = []

  /** Add before acting: what was half done is then undone too. `undo` must be content when there is nothing to undo. */
  add(name: string, undo: (signal: AbortSignal) => Promise<void>): void {
    this.#actions.push({ name, undo })
  }

  /** Undoes everything, the latest first; one that fails does not keep the others from being undone. Returns the failures. */
  async run(operation: Operation): Promise<Leftover[]> {
    const failures: Leftover[] = []
    for (let action = this.#actions.pop(); action; action = this.#actions.pop()) {
      const step = `undo ${action.name}`
      try {
        await operation.cleanup(step, action.undo)
      } catch (error) {
        failures.push({ step, error })
      }
    }
    return failures
  }
}

/** Undoes what was done under a lock that the call does not have any more, one after the other, while nobody has a share of it. */
export async function undoLocked(
  key: string,
  rollbacks: readonly Rollback[],
  operation: Operation,
): Promise<Leftover[]> {
  const step = 'undo lock'
  const held: Disposable[] = []
  try {
    await operation.cleanup(step, async (signal) => {
      held.push(await lockAlone(key, signal))
    })
    const leftovers: Leftover[] = []
    for (const rollback of rollbacks) leftovers.push(...(await rollback.run(operation)))
    return leftovers
  } catch (error) {
    return [{ step, error }]
  } finally {
    for (const release of held) release[Symbol.dispose]()
  }
}

/** The outcome of what completes an attach; when it fails the attach is undone. */
export async function orUndone<T>(outcome: Promise<T>, undo: () => Promise<Leftover[]>): Promise<T> {
  try {
    return await outcome
  } catch (error) {
    throw await undone(error, 'attach', undo)
  }
}

/** A step's failure, once what had been done until then is undone: also what is a defect of ours must not leave anything. */
export async function undone(error: unknown, step: string, undo: () => Promise<Leftover[]>): Promise<BrickError> {
  const leftovers = await undo()
  return withLeftovers(asBrickError(error, step), leftovers)
}

/** A failure that could not be undone whole says what may be left. */
export function withLeftovers(failure: BrickError, leftovers: readonly Leftover[]): BrickError {
  if (leftovers.length === 0) return failure
  return failure.withDetails({ undone: leftovers.map(({ step, error }) => ({ step, error: String(error) })) })
}
