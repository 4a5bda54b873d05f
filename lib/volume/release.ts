import { flush, refuseInUse } from '../block/disk.ts'
import { holdersOf } from '../block/relations.ts'
import { BrickError } from '../errors.ts'
import type { PartitionedMap } from '../multipath/map.ts'
import {
  interruptQueueing,
  queueAgain,
  refuseMapInUse,
  removeMap,
  removeMapWhenClosed,
  stopQueueing,
  wake,
} from '../multipath/removal.ts'
import type { Operation } from '../operation.ts'
import { Rollback, undone } from '../rollback.ts'
import { standingOf } from '../scsi/paths.ts'
import type { ScsiPath, Standing } from '../scsi/paths.ts'
import type { Disk } from '../scsi/unit.ts'
import { together } from '../together.ts'
import { attempts } from './attempts.ts'
import type { Attempt } from './attempts.ts'
import { nameless } from './bring-up.ts'

/** A volume as it is on this host: its disks, and with multipath the map that makes one device of them. */
export interface AttachedVolume {
  readonly paths: readonly ScsiPath[]
  readonly maps: readonly PartitionedMap[]
}

export interface Released {
  /** What would have been errors without `force`. */
  readonly failures: readonly BrickError[]
  /** Whether all that was written is on the volume. If not, nothing may be waited for any more. */
  readonly flushed: boolean
}

/**
 * Makes a volume's disks free to be removed: nobody uses them, what was written is on the volume, and no map is above
 * them.
 *
 * With `force` it goes on when the volume is in use or cannot be flushed. A map that is open then goes as soon as it is
 * closed.
 *
 * @throws BrickError DEVICE_IN_USE, FLUSH_FAILED; what was changed till then is as it was before
 */
export async function release(volume: AttachedVolume, force: boolean, operation: Operation): Promise<Released> {
  const { attempt, failures } = attempts(force, operation)
  // A map need not have all disks: one may be in use for itself. They first, as nothing is changed of them.
  const alone = volume.paths.filter(({ holders }) => !volume.maps.some(({ device }) => holders.includes(device)))
  const flushed = await together(alone.map((path) => releasePath(path, volume.maps, attempt)))
  for (const map of volume.maps) flushed.push(await releaseMap(map, volume.paths, force, operation, attempt))
  return { failures, flushed: flushed.every(Boolean) }
}

async function releasePath(path: ScsiPath, maps: readonly PartitionedMap[], attempt: Attempt): Promise<boolean> {
  const { disk } = path
  const [, standing] = await together([
    attempt('use', (signal) => refuseOtherUse(disk, maps, signal)),
    attempt('identity', async (signal) => {
      const standing = await saidStanding(path, signal)
      // Beside a map that is no matter: what was written went by the map's other paths.
      if (standing !== 'unreachable' || maps.length > 0) return standing
      // Whoever writes to it waits until its target is back, which may be never.
      throw new BrickError('FLUSH_FAILED', `${disk.path}: its target is out of reach`, {
        details: { device: disk.path },
      })
    }),
  ])
  // To another volume nothing must be written.
  if (standing !== 'same') return false
  const flushed = await attempt('flush', async (signal) => {
    await flush(disk.path, signal)
    return true
  })
  return flushed === true
}

/** @throws BrickError DEVICE_IN_USE when anybody else uses the disk than these maps, into which it may have come by now */
async function refuseOtherUse(
  { name, path }: Disk,
  maps: readonly PartitionedMap[],
  signal: AbortSignal,
): Promise<void> {
  try {
    await refuseInUse(path, signal)
  } catch (error) {
    const holders = maps.length > 0 ? await holdersOf(name, signal) : []
    if (holders.length === 0 || !holders.every((holder) => maps.some(({ device }) => device === holder))) throw error
  }
}

async function releaseMap(
  map: PartitionedMap,
  paths: readonly ScsiPath[],
  force: boolean,
  operation: Operation,
  attempt: Attempt,
): Promise<boolean> {
  const condition = await operation.step('map', (signal) => wake(map, signal))
  if (condition === undefined) return true
  await attempt('use', (signal) => refuseMapInUse(map, signal))
  // Without a path it would keep whoever writes, or flushes, waiting for ever.
  const unblock = condition.queueing && (condition.dead || force)
  const unblockMap = force ? stopQueueing : interruptQueueing
  try {
    if (unblock) await operation.step('map', (signal) => unblockMap(map, signal))
    const flushed = await attempt('flush', (signal) => flushMap(map, paths, signal))
    const removed = await attempt('map', async (signal) => {
      await removeMap(map, signal)
      return true
    })
    if (removed !== true) await operation.step('map', (signal) => removeMapWhenClosed(map, signal))
    return flushed === true
  } catch (error) {
    const rollback = new Rollback()
    if (unblock) rollback.add('map', (signal) => queueAgain(map, signal))
    throw await undone(error, 'map', () => rollback.run(operation))
  }
}

/** False when one of the paths leads to another volume now, or all to none, so that nothing must be written. */
async function flushMap(
  { path, slaves }: PartitionedMap,
  paths: readonly ScsiPath[],
  signal: AbortSignal,
): Promise<boolean> {
  // A path that cannot be asked is no matter: the map has others, or its flush fails.
  const own = paths.filter(({ disk }) => slaves.includes(disk.name))
  const answers = await Promise.allSettled(own.map((each) => saidStanding(each, signal)))
  for (const answer of answers) if (answer.status === 'rejected' && isNameless(answer.reason)) throw answer.reason
  const standings = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : 'unreachable'))
  const gone = own.length > 0 && standings.every((standing) => standing === 'absent')
  if (gone || standings.includes('another')) return false
  await flush(path, signal)
  return true
}

function isNameless(error: unknown): error is BrickError {
  return error instanceof BrickError && error.code === 'IDENTITY_MISMATCH'
}

/**
 * What the path leads to now.
 *
 * @throws BrickError IDENTITY_MISMATCH when the kernel, or the device, does not say which volume it is: what was written
 * must neither go to another one nor be thrown away
 */
async function saidStanding(path: ScsiPath, signal: AbortSignal): Promise<Exclude<Standing, 'unknown'>> {
  const standing = await standingOf(path, signal)
  if (standing === 'unknown') throw nameless(path.disk)
  return standing
}
