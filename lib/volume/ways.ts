import { BrickError } from '../errors.ts'
import { asBrickError } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { withLeftovers } from '../rollback.ts'
import type { Leftover } from '../rollback.ts'

/** A way that did not come up. What it had changed is undone. */
export interface FailedWay<Way> {
  readonly way: Way
  readonly error: BrickError
}

/** A way that is up. */
interface Undoable {
  undo(): Promise<Leftover[]>
}

/** All ways to one volume, tried at once. One that fails fails nobody but itself. */
export class Ways<Way, Path extends Undoable> {
  readonly #up: Path[] = []
  readonly #failed: FailedWay<Way>[] = []
  /** Resolves when no way is left that may still come up. */
  readonly settled: Promise<void>
  /** Resolves when one is up, or none will be. */
  readonly first: Promise<void>

  /**
   * @param bring brings one way up; when it fails it leaves nothing changed
   * @param accept whether a path that is up leads to the same volume as the first; if not it is taken down again
   */
  constructor(
    ways: readonly Way[],
    bring: (way: Way) => Promise<Path>,
    accept: (path: Path, first: Path | undefined) => boolean,
  ) {
    let anyUp = (): void => undefined
    const one = new Promise<void>((resolve) => {
      anyUp = resolve
    })
    const tryOne = async (way: Way): Promise<void> => {
      try {
        const path = await bring(way)
        if (!accept(path, this.#up[0])) {
          const another = new BrickError(
            'IDENTITY_MISMATCH',
            'this path leads to another volume than the first that came up',
          )
          throw withLeftovers(another, await path.undo())
        }
        this.#up.push(path)
        anyUp()
      } catch (error) {
        this.#failed.push({ way, error: failureOf(error) })
      }
    }
    this.settled = Promise.all(ways.map(tryOne)).then(() => undefined)
    this.first = Promise.race([one, this.settled])
  }

  /** The paths that are up now, in the order in which they came. */
  get up(): readonly Path[] {
    return this.#up
  }

  /** The ways that have failed so far. */
  get failed(): readonly FailedWay<Way>[] {
    return this.#failed
  }

  /** Waits for the ways that are still being tried, and takes down all that are up. */
  async undo(): Promise<Leftover[]> {
    await this.settled
    return (await Promise.all(this.#up.map((path) => path.undo()))).flat()
  }
}

/** A defect of ours, too, fails its way only: the others are up, or are to be undone. */
function failureOf(error: unknown): BrickError {
  try {
    return asBrickError(error, 'attach')
  } catch {
    return new BrickError('SYSTEM', String(error), { step: 'attach', cause: error })
  }
}

/** The first failure, with all of them as evidence. */
export function allFailed(failures: readonly BrickError[]): BrickError {
  const [first, ...others] = failures
  if (first === undefined) return new BrickError('PORTAL_UNREACHABLE', 'the portals have no address')
  if (others.length === 0) return first
  return first.withDetails({ failures: failures.map(({ code, step, message }) => ({ code, step, message })) })
}

/** The ways in turn, until one comes up; `bring` gives a portal up when `patience` fires. */
export async function inTurn<Way, Path>(
  ways: readonly Way[],
  bring: (way: Way, patience: AbortSignal) => Promise<Path>,
  operation: Operation,
): Promise<Path> {
  const failures: BrickError[] = []
  for (const [tried, way] of ways.entries()) {
    try {
      // A portal that does not answer leaves the others their share of the time.
      return await bring(way, operation.share(1 / (ways.length - tried)))
    } catch (error) {
      const failure = asBrickError(error, 'attach')
      if (operation.signal.aborted) throw failure
      failures.push(failure)
    }
  }
  throw allFailed(failures)
}

/** Of ways of which one at least should be up. @throws BrickError IDENTITY_MISMATCH when one leads elsewhere; allFailed() */
export function refuseDisagreement({
  up,
  failed,
}: {
  up: readonly unknown[]
  failed: readonly FailedWay<unknown>[]
}): void {
  const errors = failed.map(({ error }) => error)
  const another = errors.find(({ code }) => code === 'IDENTITY_MISMATCH')
  if (another) throw another
  if (up.length === 0) throw allFailed(errors)
}
