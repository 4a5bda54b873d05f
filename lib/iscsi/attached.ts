import { blockDevices } from '../inventory/inventory.ts'
import type { IscsiTarget } from '../properties/iscsi.ts'
import { scsiPaths } from '../scsi/paths.ts'
import type { ScsiPath } from '../scsi/paths.ts'
import { gather } from '../volume/attached.ts'
import type { AttachedVolume } from '../volume/release.ts'
import { tcp } from './interface.ts'
import type { TargetPortal } from './portal.ts'
import { targetKey } from './session-control.ts'
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
  const [sessions, host] = await Promise.all([readSessions(signal), blockDevices(signal)])
  const disks = scsiPaths(host).filter(({ session }) => session !== null)
  return { sessions, ...gather(disks, (disk) => isPlaced(disk, sessions, targets), expected, host) }
}

/** The disks at the places that the properties name. */
export async function findPlaced(targets: readonly IscsiTarget[], signal: AbortSignal): Promise<ScsiPath[]> {
  const [sessions, host] = await Promise.all([readSessions(signal), blockDevices(signal)])
  return scsiPaths(host).filter((disk) => isPlaced(disk, sessions, targets))
}

function isPlaced(disk: ScsiPath, sessions: readonly Session[], targets: readonly IscsiTarget[]): boolean {
  const session = sessions.find(({ id }) => id === disk.session)
  return session !== undefined && targets.some((target) => target.lun === disk.lun && leadsTo(session, target))
}

interface GrowingPlace extends Place {
  readonly paths: ScsiPath[]
  connected: boolean
  shared: boolean
}

/**
 * Where a detach has something to leave: the places of the volume's disks, and those that the properties name. `strays` are
 * disks whose session is not to be seen: it came after the look, or is going.
 */
export function placesOf(
  { sessions, paths }: FoundVolume,
  targets: readonly IscsiTarget[],
): { places: Place[]; strays: ScsiPath[] } {
  const strays: ScsiPath[] = []
  const places = new Map<string, GrowingPlace>()
  const placeAt = (target: TargetPortal): GrowingPlace => {
    const key = `${targetKey(target)} ${(target.over ?? tcp).name}`
    const place = places.get(key) ?? { target, paths: [], connected: true, shared: true }
    places.set(key, place)
    return place
  }
  for (const target of targets) if (target.portal.family !== 'name') placeAt(target)
  for (const path of paths) {
    const session = sessions.find(({ id }) => id === path.session)
    if (!session?.portal) {
      strays.push(path)
      continue
    }
    const place = placeAt({ portal: session.portal, iqn: session.targetName, over: session.over })
    place.paths.push(path)
    place.connected &&= session.state === 'LOGGED_IN'
    place.shared &&= session.units.some(({ hctl }) => !paths.some(({ unit }) => unit.hctl === hctl))
  }
  return { places: [...places.values()], strays }
}
