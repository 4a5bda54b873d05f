import { orAborted } from '../abort.ts'
import { BrickError } from '../errors.ts'
import { inventory } from '../inventory/inventory.ts'
import { mapsOf } from '../multipath/map.ts'
import type { IscsiTarget } from '../properties/iscsi.ts'
import { matchesWwn, sameUnit } from '../scsi/identity.ts'
import { scsiPaths } from '../scsi/paths.ts'
import type { ScsiPath } from '../scsi/paths.ts'
import type { AttachedVolume } from '../volume/release.ts'
import { prove } from '../volume/bring-up.ts'
import { tcp } from './interface.ts'
import { targetKey } from './path.ts'
import type { TargetPortal } from './portal.ts'
import type { Place } from './session-control.ts'
import { leadsTo, readSessions } from './sessions.ts'
import type { Session } from './sessions.ts'

/** A volume as it is on this host, with the sessions that there are. */
export interface FoundVolume extends AttachedVolume {
  readonly sessions: readonly Session[]
}

/**
 * Every disk of the volume on this host, whoever attached it and however: those at the places that the properties
 * name, and all others that say of themselves that they are this volume.
 *
 * @throws BrickError IDENTITY_MISMATCH when there is another volume at its place
 */
export async function findVolume(
  targets: readonly IscsiTarget[],
  expected: string | undefined,
  signal: AbortSignal,
): Promise<FoundVolume> {
  const [sessions, host] = await Promise.all([readSessions(signal), orAborted(inventory(), signal)])
  const disks = scsiPaths(host).filter(({ session }) => session !== null)
  const placed = disks.filter((disk) => isPlaced(disk, sessions, targets))
  const paths = disks.filter((disk) => placed.includes(disk) || isVolume(disk, placed[0], expected))
  for (const path of placed) refuseAnother(path, placed[0], expected)
  const names = [expected, ...paths.map(({ noted }) => noted?.names.udev)].filter((name) => typeof name === 'string')
  return { sessions, paths, maps: mapsOf(paths, names, host) }
}

/** Whether a disk at any other place is the volume, by what it says. */
function isVolume({ noted }: ScsiPath, known: ScsiPath | undefined, expected: string | undefined): boolean {
  if (noted === null) return false
  if (expected !== undefined) return matchesWwn(noted, expected)
  return known?.noted ? sameUnit(noted, known.noted) : false
}

/** A disk at the volume's place has to be the volume: if not, nothing is certain any more. */
function refuseAnother({ noted, disk }: ScsiPath, first: ScsiPath | undefined, expected: string | undefined): void {
  if (expected !== undefined) prove(noted, expected, disk)
  else if (noted && first?.noted && !sameUnit(noted, first.noted)) {
    throw new BrickError('IDENTITY_MISMATCH', `${disk.path} and ${first.disk.path} are different volumes`, {
      details: { devices: [disk.path, first.disk.path] },
    })
  }
}

/** The disks at the places that the properties name. */
export async function findPlaced(targets: readonly IscsiTarget[], signal: AbortSignal): Promise<ScsiPath[]> {
  const [sessions, host] = await Promise.all([readSessions(signal), orAborted(inventory(), signal)])
  return scsiPaths(host).filter((disk) => isPlaced(disk, sessions, targets))
}

function isPlaced(disk: ScsiPath, sessions: readonly Session[], targets: readonly IscsiTarget[]): boolean {
  const session = sessions.find(({ id }) => id === disk.session)
  return session !== undefined && targets.some((target) => target.lun === disk.lun && leadsTo(session, target))
}

/** Where a detach has something to leave: the places of the volume's disks, and those that the properties name. */
export function placesOf({ sessions, paths }: FoundVolume, targets: readonly IscsiTarget[]): Place[] {
  const places = new Map<string, { target: TargetPortal; paths: ScsiPath[]; connected: boolean }>()
  const placeAt = (target: TargetPortal): { target: TargetPortal; paths: ScsiPath[]; connected: boolean } => {
    const key = `${targetKey(target)} ${(target.over ?? tcp).name}`
    const place = places.get(key) ?? { target, paths: [], connected: true }
    places.set(key, place)
    return place
  }
  for (const target of targets) placeAt(target)
  for (const path of paths) {
    const session = sessions.find(({ id }) => id === path.session)
    // Null before the login is done: then there is no disk either.
    if (!session?.portal) continue
    const place = placeAt({ portal: session.portal, iqn: session.targetName, over: session.over })
    place.paths.push(path)
    place.connected &&= session.state === 'LOGGED_IN'
  }
  return [...places.values()]
}
