import type { DeviceFacts } from '../binding.ts'
import { deviceFacts } from '../block/disk.ts'
import { holdersOf } from '../block/relations.ts'
import { readFiles, textOf } from '../files.ts'
import type { FileRead } from '../files.ts'
import type { BlockDevice } from '../inventory/block-device.ts'
import type { Devices } from '../inventory/devices.ts'
import type { Disk } from '../scsi/unit.ts'

/** A device-mapper map that makes one device of several paths. */
export interface MultipathMap {
  /** The kernel's name of the device, such as 'dm-0'. */
  readonly device: string
  /** Its device node. */
  readonly path: string
  /** Its own name, by which multipathd and device-mapper know it. */
  readonly name: string
  /** What multipathd calls the volume. */
  readonly wwid: string
}

/** A map that serves requests, with what its device says. */
export interface LiveMap extends MultipathMap {
  readonly facts: DeviceFacts
}

/** A map with the maps that kpartx has made of its partitions. */
export interface PartitionedMap extends MultipathMap {
  /** The kernel's names of its paths' disks. */
  readonly slaves: readonly string[]
  readonly partitions: readonly Omit<MultipathMap, 'wwid'>[]
}

/**
 * The WWID in a device-mapper uuid; undefined when it is no multipath map's. LVM's and cryptsetup's maps have other
 * prefixes, and those of partitions have one before this (libmultipath/devmapper.h, kpartx).
 */
export function wwidOf(uuid: string): string | undefined {
  return /^mpath-(.+)$/.exec(uuid)?.[1]
}

/** The multipath maps of which these disks are paths, and those without a path that bear one of these names. */
export function mapsOf(
  disks: readonly { holders: readonly string[] }[],
  wwids: readonly string[],
  host: Devices,
): PartitionedMap[] {
  const holders = disks.flatMap((disk) => disk.holders).map((name) => host.byName.get(name))
  const orphans = host.devices.filter((device) => {
    const wwid = wwidOf(device.map?.uuid ?? '')
    return wwid !== undefined && wwids.includes(wwid) && device.slaves.length === 0
  })
  const found = [...holders, ...orphans].filter((device) => device !== undefined)
  return [...new Set(found)].flatMap((device) => asPartitionedMap(device, host))
}

function asPartitionedMap(
  { name: device, path, map, holders, slaves }: BlockDevice,
  { byName }: Devices,
): PartitionedMap[] {
  const wwid = wwidOf(map?.uuid ?? '')
  if (map === null || wwid === undefined) return []
  const partitions = holders.flatMap((holder) => {
    const partition = byName.get(holder)
    return partition?.map && /^part\d+-mpath-/.test(partition.map.uuid)
      ? [{ device: holder, path: partition.path, name: partition.map.name }]
      : []
  })
  return [{ device, path, name: map.name, wwid, slaves, partitions }]
}

/** The map of which this disk is a path, once it serves it with the disk's size. */
export async function liveMapAbove({ name }: Disk, size: number, signal: AbortSignal): Promise<LiveMap | undefined> {
  for (const device of await holdersOf(name, signal)) {
    const { uuid, name: mapName, suspended } = await readMapAttributes(device, signal)
    const wwid = wwidOf(uuid ?? '')
    if (wwid === undefined || mapName === undefined || suspended !== '0') continue
    const path = `/dev/${device}`
    // A map that is being made has no size yet.
    const facts = await deviceFacts(path, signal)
    if (facts.size >= size) return { device, path, name: mapName, wwid, facts }
  }
  return undefined
}

/** Whether the device still is this map, and not another one that has its number now. */
export async function mapExists({ device, wwid }: MultipathMap, signal: AbortSignal): Promise<boolean> {
  return wwidOf((await readMapAttributes(device, signal)).uuid ?? '') === wwid
}

async function readMapAttributes(
  device: string,
  signal: AbortSignal,
): Promise<Record<'uuid' | 'name' | 'suspended', string | undefined>> {
  const file = (name: string): string => `/sys/class/block/${device}/dm/${name}`
  const paths = { uuid: file('uuid'), name: file('name'), suspended: file('suspended') }
  const { uuid, name, suspended } = await readFiles('sysfs', paths, signal)
  const value = (read: FileRead): string | undefined => textOf(read, ['ENOENT', 'ENODEV'])?.trim()
  return { uuid: value(uuid), name: value(name), suspended: value(suspended) }
}
