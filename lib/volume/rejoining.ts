import { setTimeout as delay } from 'node:timers/promises'
import { BrickError } from '../errors.ts'
import { lock } from '../lock.ts'
import { Operation } from '../operation.ts'
import type { Leftover } from '../rollback.ts'
import { isWrongGuess } from './guess.ts'
import type { FailedWay, Ways } from './ways.ts'

/** Milliseconds between two tries; the last goes on for ever. */
const intervals = [1000, 2000, 4000, 8000, 15_000, 30_000]
/** Of one try: who wants to detach the volume in another process waits for so long. */
const timeout = 10_000

/** What goes on for a volume after its attach has returned, until it is detached or attached anew in this process. */
const going = new Map<string, AbortController>()

/** Ends what still goes on for the volume with this lock. */
export function stopRejoining(key: string): void {
  going.get(key)?.abort()
}

/** How a volume's missing ways are tried again. */
export interface Rejoining<Way, Up> {
  /** The volume's lock. */
  readonly key: string
  /** What the operation is called on the diagnostics channel. */
  readonly name: string
  /** Tries the ways once, and returns those that are still missing; none, too, when the volume has gone. */
  readonly retry: (missing: readonly Way[], known: Up, operation: Operation) => Promise<readonly Way[]>
}

/**
 * Sees to the ways of an attached volume that were not up when its attach returned: those that fail are tried again and
 * again, until all are there or the volume has gone. Who makes one device of them adds each by itself. Does not keep the
 * process alive, and never fails: what goes wrong is on the diagnostics channel.
 *
 * @param stop ends the ways that are still being tried
 */
export async function seeToTheRest<Way extends object, Up extends { undo(): Promise<Leftover[]> }>(
  ways: Ways<Way, Up>,
  stop: AbortController,
  rejoining: Rejoining<Way, Up>,
): Promise<void> {
  const { key } = rejoining
  going.set(key, stop)
  try {
    await ways.settled
    const [known] = ways.up
    if (known) await rejoin(ways.failed, known, stop.signal, rejoining)
  } finally {
    if (going.get(key) === stop) going.delete(key)
  }
}

async function rejoin<Way extends object, Up>(
  failed: readonly FailedWay<Way>[],
  known: Up,
  stop: AbortSignal,
  { key, name, retry }: Rejoining<Way, Up>,
): Promise<void> {
  let missing: readonly Way[] = failed.filter(mayComeUp).map(({ way }) => way)
  for (let tries = 0; missing.length > 0 && !stop.aborted; tries++) {
    const interval = intervals[Math.min(tries, intervals.length - 1)]
    try {
      await delay(interval, undefined, { signal: stop, ref: false })
      using operation = new Operation(name, { signal: stop, timeout })
      using _volume = await operation.step('lock', (signal) => lock(key, signal))
      missing = await retry(missing, known, operation)
    } catch {
      // Another program has the volume's lock, or looks after it: that is to be tried again.
    }
  }
}

function mayComeUp({ way, error }: FailedWay<object>): boolean {
  return error.retryable && !isWrongGuess(way, error)
}

/** Those of the ways that `bring` does not bring up, and that may still come up. */
export async function stillMissing<Way extends object>(
  ways: readonly Way[],
  bring: (way: Way) => Promise<unknown>,
): Promise<readonly Way[]> {
  const outcomes = await Promise.allSettled(ways.map(bring))
  return ways.filter((way, index) => {
    const outcome = outcomes[index]
    if (outcome?.status !== 'rejected') return false
    const error: unknown = outcome.reason
    return !(error instanceof BrickError) || mayComeUp({ way, error })
  })
}
