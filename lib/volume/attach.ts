import { slavesOf } from '../block/relations.ts'
import { BrickError, invalid } from '../errors.ts'
import { blockDevices } from '../inventory/inventory.ts'
import { asBrickError } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { undone } from '../rollback.ts'
import type { Leftover } from '../rollback.ts'
import { sameUnit } from '../scsi/identity.ts'
import { together } from '../together.ts'
import { isAnother } from './bring-up.ts'
import type { ProvenDisk } from './bring-up.ts'
import { Watch } from '../wait.ts'
import { MapAssembly } from '../multipath/assembly.ts'
import { mapsOf } from '../multipath/map.ts'
import type { LiveMap } from '../multipath/map.ts'
import { forgetPath, removeMap } from '../multipath/removal.ts'
import { refuseDisagreement, Ways } from './ways.ts'

/** When an attach returns: with the first path that can be used, or when every way has been tried. */
export type Ready = 'first' | 'all'

/** @throws BrickError INVALID_ARGUMENT */
export function parseReady(ready: unknown = 'first'): Ready {
  if (ready !== 'first' && ready !== 'all') throw invalid('ready', 'first or all', ready)
  return ready
}

interface Path extends ProvenDisk {
  undo(): Promise<Leftover[]>
}

export interface MultipathAttach<Way, Up extends Path> {
  readonly ways: Ways<Way, Up>
  /** Undefined when multipathd makes none. */
  readonly map: LiveMap | undefined
  /** Why there is no map, or one without all paths that are up. */
  readonly refusal: BrickError | undefined
  /** Takes it all back. */
  readonly undo: () => Promise<Leftover[]>
}

/**
 * Brings a volume up by all its ways at once, and has multipathd make a map of them.
 *
 * @param bring brings one way up, giving its portal up when `giveUp` fires; when it fails it leaves nothing changed
 * @param enforce whether a volume without a map is a failure
 * @throws BrickError when no way comes up: the first failure, with all of them as evidence; IDENTITY_MISMATCH when
 * they lead to different volumes; MULTIPATH_FAILED. Nothing is left changed.
 */
export async function attachMultipath<Way, Up extends Path>(
  targets: readonly Way[],
  bring: (way: Way, giveUp: AbortSignal) => Promise<Up>,
  { ready, enforce }: { ready: Ready; enforce: boolean },
  operation: Operation,
): Promise<MultipathAttach<Way, Up>> {
  using assembly = new MapAssembly(operation.signal)
  const giveUp = new AbortController()
  const accept = (path: Up, first: Up | undefined): boolean => {
    if (first && !sameUnit(first.identity, path.identity)) return false
    assembly.offer(path)
    return true
  }
  const ways = new Ways(targets, (way: Way) => bring(way, giveUp.signal), accept)
  const takeBack = (): Promise<Leftover[]> => {
    giveUp.abort(new BrickError('ABORTED', 'the attach has failed'))
    return undo(ways, operation)
  }
  try {
    await ways.first
    if (ready === 'all') await ways.settled
    refuseDisagreement(ways)
    const { map, refusal } = await operation.step('map', () => assemble(assembly, ways, { ready, enforce }))
    if (map) await operation.step('verify', (signal) => expelOthers(map, ways.up, signal))
    return { ways, map, refusal, undo: takeBack }
  } catch (error) {
    throw await undone(error, 'attach', takeBack)
  }
}

async function assemble<Way>(
  assembly: MapAssembly,
  { settled }: Ways<Way, Path>,
  { ready, enforce }: { ready: Ready; enforce: boolean },
): Promise<{ map: LiveMap | undefined; refusal: BrickError | undefined }> {
  let map: LiveMap | undefined
  try {
    map = await assembly.map(settled)
    if (ready === 'all') await assembly.whole(map)
    return { map, refusal: undefined }
  } catch (error) {
    const refusal = asBrickError(error, 'map')
    if (refusal.code !== 'MULTIPATH_FAILED' || (enforce && map === undefined)) throw refusal
    return { map, refusal }
  }
}

/**
 * Has multipathd let go of disks of the map that are another volume now. Left over from ways that this attach does not know,
 * they would get what is written to the map.
 *
 * @throws BrickError IDENTITY_MISMATCH when it does not
 */
async function expelOthers(map: LiveMap, up: readonly Path[], signal: AbortSignal): Promise<void> {
  const unproven = (await slavesOf(map.device, signal)).filter((name) => !up.some(({ disk }) => disk.name === name))
  const answers = await together(unproven.map((name) => isAnother(name, signal)))
  const others = unproven.filter((_, index) => answers[index])
  if (others.length === 0) return
  for (const name of others) await forgetPath({ name }, signal)
  const [remaining] = (await slavesOf(map.device, signal)).filter((name) => others.includes(name))
  if (remaining === undefined) return
  throw new BrickError('IDENTITY_MISMATCH', `${map.path} has /dev/${remaining}, which is another volume now`, {
    details: { device: map.path, disk: `/dev/${remaining}` },
  })
}

/** The map goes first, if it is there only because of this call. */
async function undo<Way>(ways: Ways<Way, Path>, operation: Operation): Promise<Leftover[]> {
  await ways.settled
  const { up } = ways
  if (up.length === 0 || up.some(({ fresh }) => !fresh)) return ways.undo()
  const leftovers: Leftover[] = []
  const attempt = async (run: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    const step = 'undo map'
    await operation.cleanup(step, run).catch((error: unknown) => leftovers.push({ step, error }))
  }
  const names = up.map(({ wwn }) => wwn)
  const remove = async (signal: AbortSignal): Promise<true | undefined> => {
    const host = await blockDevices(signal)
    // The kernel gives the name of one that has gone to the next.
    const disks = up.flatMap(({ disk, facts }) => {
      const device = host.byName.get(disk.name)
      return device && (device.diskSequence ?? 0) === facts.diskSequence ? [device] : []
    })
    // Into a map of somebody else's our disks have only come.
    const isOurs = (slave: string): boolean => disks.some(({ name }) => name === slave)
    const maps = mapsOf(disks, names, host).filter(({ slaves }) => slaves.every(isOurs))
    for (const map of maps) await removeMap(map, signal)
    return maps.length === 0 ? true : undefined
  }
  await attempt(async (signal) => {
    await remove(signal)
  })
  leftovers.push(...(await ways.undo()))
  // multipathd may have made it again meanwhile: of paths that are gone now.
  await attempt(async (signal) => {
    using watch = new Watch('kernel', ['/virtual/block/dm-'])
    await watch.until(() => remove(signal), signal)
  })
  return leftovers
}
