import { orAborted } from '../abort.ts'
import { binding, failedWith, finish } from '../binding.ts'
import type { BlockDevice } from '../inventory/block-device.ts'
import { inventory } from '../inventory/inventory.ts'
import { formatPortal } from '../iscsi/portal.ts'
import { readSessions } from '../iscsi/sessions.ts'
import { wwidOf } from '../multipath/map.ts'
import { parseMultipathStatus } from '../multipath/map-status.ts'
import type { IscsiSession, MultipathPath } from './change.ts'

/** A path as its map's status has it. */
export interface PathState extends MultipathPath {
  readonly device: BlockDevice
  readonly working: boolean
  /** How often it has failed since the map was last given a new table. */
  readonly failures: number
}

/** This host's storage at one moment. */
export interface Picture {
  readonly devices: readonly BlockDevice[]
  /** A session that is being made has no target and no portal yet: they are empty. */
  readonly sessions: readonly IscsiSession[]
  readonly paths: readonly PathState[]
}

export type Part = keyof Picture

export const allParts: readonly Part[] = ['devices', 'sessions', 'paths']

/** Looks at these parts of the host; the others are as before. */
export async function look(parts: ReadonlySet<Part>, before: Picture, signal: AbortSignal): Promise<Picture> {
  const [devices, sessions] = await Promise.all([
    parts.has('devices') ? lookAtDevices(signal) : before.devices,
    parts.has('sessions') ? lookAtSessions(signal) : before.sessions,
  ])
  const paths = parts.has('paths') ? await lookAtPaths(devices, signal) : before.paths
  return { devices, sessions, paths }
}

async function lookAtDevices(signal: AbortSignal): Promise<readonly BlockDevice[]> {
  const { devices } = await orAborted(inventory(), signal)
  // A map that is being deleted refuses to say its name (dm_get_from_kobject in drivers/md/dm.c), and has no size.
  return devices.filter(({ unreadable }) => !('dm/name' in unreadable))
}

async function lookAtSessions(signal: AbortSignal): Promise<IscsiSession[]> {
  const sessions = await readSessions(signal)
  return sessions.map(({ id, host, targetName, portal, peer, state }) => ({
    id,
    host,
    target: targetName,
    portal: portal ? formatPortal(portal) : '',
    peer: peer && formatPortal(peer),
    state,
  }))
}

async function lookAtPaths(devices: readonly BlockDevice[], signal: AbortSignal): Promise<PathState[]> {
  const byDevno = new Map(devices.map((device) => [device.devno, device]))
  const paths = await Promise.all(devices.map((device) => pathsOf(device, byDevno, signal)))
  return paths.flat()
}

async function pathsOf(
  { name: device, path, map }: BlockDevice,
  byDevno: ReadonlyMap<string, BlockDevice>,
  signal: AbortSignal,
): Promise<PathState[]> {
  const wwid = wwidOf(map?.uuid ?? '')
  if (map === null || wwid === undefined) return []
  try {
    const state = await finish(binding().mapState(`dm:${device}`, map.name), signal)
    // A map that is being made or taken down has another table, or none.
    if (state.status[0]?.type !== 'multipath') return []
    return parseMultipathStatus(state).paths.flatMap(({ devno, active, failures }) => {
      const disk = byDevno.get(devno)
      if (disk === undefined) return []
      const description = { path, name: map.name, wwid }
      return [{ path: disk.path, map: description, device: disk, working: active, failures }]
    })
  } catch (error) {
    if (failedWith(error, 'ENXIO')) return []
    throw error
  }
}
