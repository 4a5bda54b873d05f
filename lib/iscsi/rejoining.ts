import { setTimeout as delay } from 'node:timers/promises'
import { lock } from '../lock.ts'
import { Operation } from '../operation.ts'
import type { IscsiProperties, IscsiTarget } from '../properties/iscsi.ts'
import type { FailedWay, Ways } from '../volume/ways.ts'
import { findVolume } from './attached.ts'
import { bringPath, volumeKey } from './path.ts'
import type { IscsiPath } from './path.ts'

/** Milliseconds between two tries; the last goes on for ever. */
const intervals = [1000, 2000, 4000, 8000, 15_000, 30_000]
/** Of one try: who wants to detach the volume in another process waits for so long. */
const timeout = 10_000

/** What goes on for a volume after its attach has returned, until it is detached or attached anew in this process. */
const going = new Map<string, AbortController>()

/** Ends what still goes on for a volume. */
export function stopRejoining(volume: IscsiProperties): void {
  going.get(volumeKey(volume))?.abort()
}

/**
 * Sees to the ways of an attached volume that were not up when its attach returned: those that fail are tried again and
 * again, until all are there or the volume has gone. multipathd adds each to its map by itself. Does not keep the
 * process alive, and never fails: what goes wrong is on the diagnostics channel.
 *
 * @param stop ends the ways that are still being tried
 */
export async function seeToTheRest(
  volume: IscsiProperties,
  ways: Ways<IscsiTarget, IscsiPath>,
  stop: AbortController,
): Promise<void> {
  const key = volumeKey(volume)
  going.set(key, stop)
  try {
    await ways.settled
    const [known] = ways.up
    if (known) await rejoin({ ...volume, wwn: known.wwn }, ways.failed, stop.signal)
  } finally {
    if (going.get(key) === stop) going.delete(key)
  }
}

async function rejoin(
  volume: IscsiProperties,
  failed: readonly FailedWay<IscsiTarget>[],
  stop: AbortSignal,
): Promise<void> {
  let missing = failed.filter(({ error }) => error.retryable).map(({ way }) => way)
  for (let tries = 0; missing.length > 0 && !stop.aborted; tries++) {
    const interval = intervals[Math.min(tries, intervals.length - 1)]
    try {
      await delay(interval, undefined, { signal: stop, ref: false })
      using operation = new Operation('iscsi.rejoin', { signal: stop, timeout })
      using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume), signal))
      const { paths } = await operation.step('find', (signal) => findVolume(missing, volume.wwn, signal))
      if (paths.length === 0) return
      missing = await stillMissing(volume, missing, operation)
    } catch {
      // Another program has the volume's lock, or looks after it: that is to be tried again.
    }
  }
}

async function stillMissing(
  volume: IscsiProperties,
  targets: readonly IscsiTarget[],
  operation: Operation,
): Promise<IscsiTarget[]> {
  const tries = targets.map((target) => bringPath(volume, target, operation.share(0.5), operation))
  const outcomes = await Promise.allSettled(tries)
  return targets.filter((_, index) => outcomes[index]?.status === 'rejected')
}
