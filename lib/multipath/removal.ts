import { withDeadline } from '../abort.ts'
import { binding, failedWith, finish } from '../binding.ts'
import type { MapState } from '../binding.ts'
import { isInUse } from '../block/disk.ts'
import { BrickError } from '../errors.ts'
import { blockDevices } from '../inventory/inventory.ts'
import type { Disk } from '../scsi/unit.ts'
import { together } from '../together.ts'
import { Watch } from '../wait.ts'
import { askMultipathd, tryMultipathd } from './daemon.ts'
import { mapExists, mapsOf } from './map.ts'
import type { MultipathMap, PartitionedMap } from './map.ts'
import { parseMultipathStatus } from './map-status.ts'

/** Calls that wait for one map share a lane. */
const lane = ({ device }: MultipathMap): string => `dm:${device}`

/** Milliseconds that those who have a map open have to close it. */
const closePatience = 10_000

/** How a map is when it is to be taken down. */
export interface MapCondition {
  /** Whether no path of it works any more. */
  readonly dead: boolean
  /** Whether it keeps what it cannot write, for as long as no path works. */
  readonly queueing: boolean
}

/**
 * What a map is like, once it serves requests again: one that somebody has left suspended is resumed.
 * Undefined when it has gone.
 */
export async function wake(map: MultipathMap, signal: AbortSignal): Promise<MapCondition | undefined> {
  using watch = new Watch('kernel', [`/${map.device}`])
  try {
    // One that is just being made has no table yet, and nothing that could be resumed.
    const made = await watch.until(async () => {
      const state = await stateOf(map, signal)
      return state.table.length > 0 ? state : undefined
    }, signal)
    const { queueing, paths } = parseMultipathStatus(await onceAwake(map, made, signal))
    return { queueing, dead: !paths.some(({ active }) => active) }
  } catch (error) {
    if (failedWith(error, 'ENXIO')) return undefined
    throw error
  }
}

/** What a map says when it is not suspended: till then it may say that it does not queue (multipath_presuspend in dm-mpath.c). */
async function onceAwake(map: MultipathMap, state: MapState, signal: AbortSignal): Promise<MapState> {
  if (!state.suspended) return state
  try {
    await finish(binding().resumeMap(lane(map), map.name), signal)
  } catch (error) {
    // Whoever had suspended it has resumed it at the same moment (dm_resume in drivers/md/dm.c).
    const now = failedWith(error, 'EINVAL') ? await stateOf(map, signal) : state
    if (now.suspended) throw error
    return now
  }
  return await stateOf(map, signal)
}

function stateOf(map: MultipathMap, signal: AbortSignal): Promise<MapState> {
  return finish(binding().mapState(lane(map), map.name), signal)
}

/** Makes the map fail what it cannot write, for good. One that has gone is fine. */
export async function stopQueueing(map: MultipathMap, signal: AbortSignal): Promise<void> {
  // multipathd has an opinion of its own, which it would put through again.
  if (await told('disablequeueing', map, signal)) return
  await say('fail_if_no_path', map, signal)
}

/**
 * Makes the map fail what it cannot write until `queueAgain`. One that has gone is fine.
 *
 * multipathd is not told: it would take the retries that it still has for used up, and end the queueing that comes back
 * at the map's next event (set_no_path_retry in libmultipath/structs_vec.c). Where it is to queue for ever it may put that
 * through again meanwhile; whoever waits for the map then waits until its own deadline.
 */
export async function interruptQueueing(map: MultipathMap, signal: AbortSignal): Promise<void> {
  await say('fail_if_no_path', map, signal)
}

async function say(message: string, map: MultipathMap, signal: AbortSignal): Promise<void> {
  try {
    await finish(binding().messageMap(lane(map), map.name, message), signal)
  } catch (error) {
    if (!failedWith(error, 'ENXIO')) throw error
  }
}

/** Makes the map keep again what it cannot write. One that has gone is fine. */
export async function queueAgain(map: MultipathMap, signal: AbortSignal): Promise<void> {
  try {
    await told('restorequeueing', map, signal)
  } finally {
    // Without a path multipathd waits for one before it says so to the kernel.
    await say('queue_if_no_path', map, signal)
  }
}

/** @throws BrickError DEVICE_IN_USE */
export async function refuseMapInUse(map: PartitionedMap, signal: AbortSignal): Promise<void> {
  if (await isMapInUse(map, signal)) throw inUse(map.path)
}

async function isMapInUse({ path, partitions }: PartitionedMap, signal: AbortSignal): Promise<boolean> {
  // The maps of its partitions hold a map; they go with it, if nobody uses them.
  const nodes = partitions.length > 0 ? partitions.map((partition) => partition.path) : [path]
  const used = await together(nodes.map((node) => isInUse(node, signal)))
  return used.includes(true)
}

/**
 * Removes the map, with those of its partitions, and returns when it has gone. One that has gone already is fine.
 *
 * udev's rules have a look at a map whenever something happens to it, and have it open meanwhile. That is waited for.
 *
 * @throws BrickError DEVICE_IN_USE
 */
export async function removeMap(map: PartitionedMap, signal: AbortSignal): Promise<void> {
  // Of others as well, many that go at once would have multipathd asked for each whenever udev is done with one.
  const nodes = [...map.partitions, map].map(({ device }) => `/${device}`)
  using closed = new Watch('udev', nodes)
  using gone = new Watch('kernel', [`/${map.device}`], ({ action }) => action === 'remove')
  let openSince: number | undefined
  await closed.until(async () => {
    if (await tryToRemove(map, signal)) return true
    // From the first refusal on, and until another one: a busy multipathd may not say for longer than that.
    openSince ??= performance.now()
    if (performance.now() - openSince >= closePatience) throw inUse(map.path)
    return undefined
  }, signal)
  await gone.until(async () => ((await mapExists(map, signal)) ? undefined : true), signal)
}

/**
 * Takes a disk that is another volume now out of the maps above it, without writing anything. A map goes as a whole, if
 * nobody uses it and no other disk of it still is its volume.
 *
 * @param isStale whether the disk of this name is another volume now
 */
export async function discardMapsAbove(
  disk: Disk,
  isStale: (name: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const host = await blockDevices(signal)
  const device = host.byName.get(disk.name)
  for (const map of device ? mapsOf([device], [], host) : []) {
    const others = map.slaves.filter((slave) => slave !== disk.name)
    if (!(await together(others.map(isStale))).every(Boolean)) await forgetPath(disk, signal)
    else if (!(await isMapInUse(map, signal))) await discard(map, signal)
  }
}

async function discard(map: PartitionedMap, signal: AbortSignal): Promise<void> {
  const queueing = await isQueueing(map, signal)
  try {
    if (queueing) await interruptQueueing(map, signal)
    await removeMap(map, signal)
  } catch (error) {
    // Somebody has it open after all, or the time is up.
    if (queueing) await queueAgain(map, withDeadline(new AbortController().signal, closePatience))
    throw error
  }
}

/** Whether the map keeps what it cannot write, whatever else it may be. One that has gone does not. */
async function isQueueing(map: MultipathMap, signal: AbortSignal): Promise<boolean> {
  try {
    const { table } = await onceAwake(map, await stateOf(map, signal), signal)
    return table.some(({ parameters }) => parameters.split(' ').includes('queue_if_no_path'))
  } catch (error) {
    if (failedWith(error, 'ENXIO')) return false
    throw error
  }
}

/**
 * Has multipathd forget a disk that is to be removed. From udev it would hear of that only later, and could meanwhile
 * take another disk of the same name for this one. It may not know the disk, not run, or be too busy to be waited for.
 */
export async function forgetPath({ name }: Pick<Disk, 'name'>, signal: AbortSignal): Promise<void> {
  try {
    await tryMultipathd(`del path ${name}`, signal)
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof BrickError)) throw error
  }
}

/** Has the map removed as soon as nobody has it open any more. */
export async function removeMapWhenClosed(map: MultipathMap, signal: AbortSignal): Promise<void> {
  if (!(await removed(map, map.name, true, signal))) throw inUse(map.path)
}

/** False when somebody has it open. */
async function tryToRemove(map: PartitionedMap, signal: AbortSignal): Promise<boolean> {
  try {
    if (await told('del', map, signal)) return true
  } catch (error) {
    if (error instanceof BrickError && error.code === 'DEVICE_IN_USE') return false
    throw error
  }
  for (const { name } of [...map.partitions, map]) {
    if (!(await removed(map, name, false, signal))) return false
  }
  return true
}

/**
 * Whether multipathd has done this to the map. If not the kernel is to be asked: multipathd does not run, does not know
 * the map (any more), or gives no reason, not even when somebody has opened the map after it had looked (dm_flush_map__
 * in libmultipath/devmapper.c).
 *
 * @throws BrickError DEVICE_IN_USE or PERMISSION_DENIED
 */
async function told(command: string, { name }: MultipathMap, signal: AbortSignal): Promise<boolean> {
  try {
    return (await askMultipathd(`${command} map ${name}`, signal)) !== undefined
  } catch (error) {
    if (error instanceof BrickError && ['DEVICE_NOT_FOUND', 'TOOL_FAILED'].includes(error.code)) return false
    throw error
  }
}

/** False when somebody has it open. One that has gone already is fine. */
async function removed(map: MultipathMap, name: string, whenClosed: boolean, signal: AbortSignal): Promise<boolean> {
  try {
    await finish(binding().removeMap(lane(map), name, whenClosed), signal)
    return true
  } catch (error) {
    if (failedWith(error, 'EBUSY')) return false
    if (failedWith(error, 'ENXIO')) return true
    throw error
  }
}

function inUse(path: string): BrickError {
  return new BrickError('DEVICE_IN_USE', `${path} is mounted, part of another device, or open`, {
    details: { device: path },
  })
}
