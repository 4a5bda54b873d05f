import { setTimeout as delay } from 'node:timers/promises'
import { lock } from '../lock.ts'
import { Operation } from '../operation.ts'
import type { IscsiProperties, IscsiTarget } from '../properties/iscsi.ts'
import type { Ways } from '../multipath/ways.ts'
import { findVolume } from './attached.ts'
import { bringPath, volumeKey } from './path.ts'
import type { IscsiPath } from './path.ts'

/** Milliseconds between two tries; the last goes on for ever. */
const intervals = [1000, 2000, 4000, 8000, 15_000, 30_000]

/** What goes on for a volume after its attach has returned, until it is detached or attached anew in this process. */
const going = new Map<string, AbortController>()

/** Registers what goes on for a volume, by what ends it. */
export function keepGoing(volume: IscsiProperties, stop: AbortController): void {
  going.set(volumeKey(volume), stop)
}

/** Ends what still goes on for a volume. */
export function stopRejoining(volume: IscsiProperties): void {
  const key = volumeKey(volume)
  going.get(key)?.abort()
  going.delete(key)
}

/**
 * Tries the ways of an attached volume that did not come up, again and again, until all are there or the volume has gone.
 * multipathd adds each to its map by itself. Does not keep the process alive.
 */
export async function rejoin(
  volume: IscsiProperties,
  { up: [known], failed }: Ways<IscsiTarget, IscsiPath>,
  stop: AbortSignal,
): Promise<void> {
  if (known === undefined) return
  const { wwn } = known
  let left = failed.filter(({ error }) => error.retryable).map(({ way }) => way)
  for (let tries = 0; left.length > 0; tries++) {
    const interval = intervals[tries] ?? intervals.at(-1)
    try {
      await delay(interval, undefined, { signal: stop, ref: false })
      using operation = new Operation('iscsi.rejoin', { signal: stop })
      using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume), signal))
      const { paths } = await operation.step('find', (signal) => findVolume(left, wwn, signal))
      if (paths.length === 0) return
      left = await stillMissing(volume, wwn, left, operation)
    } catch {
      // What went wrong is on the diagnostics channel. Somebody may have detached the volume, or it is to be tried again.
      if (stop.aborted) return
    }
  }
}

async function stillMissing(
  volume: IscsiProperties,
  wwn: string,
  targets: readonly IscsiTarget[],
  operation: Operation,
): Promise<IscsiTarget[]> {
  const tries = targets.map((target) => bringPath({ ...volume, wwn }, target, operation.share(0.5), operation))
  const outcomes = await Promise.allSettled(tries)
  return targets.filter((_, index) => outcomes[index]?.status === 'rejected')
}
