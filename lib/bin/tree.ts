import type { BlockDevice } from '../inventory/block-device.ts'
import { columns } from './columns.ts'

/** The devices as a tree, a line each. A device on several others, such as a multipath map, is below each of them. */
export function deviceTree(devices: readonly BlockDevice[]): string {
  const byName = new Map(devices.map((device) => [device.name, device]))
  const roots = devices.filter(({ parent, slaves, size }) => parent === null && slaves.length === 0 && size > 0)
  const rows = [['NAME', 'SIZE', 'TRANSPORT', 'PLACE', 'IDENTITY']]
  const add = (device: BlockDevice, indent: string, above: readonly BlockDevice[]): void => {
    rows.push([`${indent}${device.name}`, humanSize(device.size), kindOf(device), placeOf(device), identityOf(device)])
    for (const child of childrenOf(device, devices, byName)) {
      if (!above.includes(child)) add(child, `${indent}  `, [...above, device])
    }
  }
  for (const device of roots.sort(byNaturalName)) add(device, '', [])
  return columns(rows)
}

function childrenOf(
  { name, holders }: BlockDevice,
  devices: readonly BlockDevice[],
  byName: ReadonlyMap<string, BlockDevice>,
): BlockDevice[] {
  const partitions = devices.filter(({ parent }) => parent === name)
  const built = holders.flatMap((holder) => byName.get(holder) ?? [])
  return [...partitions.sort(byNaturalName), ...built]
}

function kindOf({ transport, kind, map, raid }: BlockDevice): string {
  if (raid) return raid.level
  if (map) return `${/^\w+(?=-)/.exec(map.uuid)?.[0].toLowerCase() ?? 'dm'} ${map.name}`
  return kind === 'partition' ? 'partition' : (transport ?? '-')
}

function placeOf({ scsi, kind }: BlockDevice): string {
  return kind === 'disk' && scsi ? scsi.hctl : '-'
}

function identityOf({ identity, wwid }: BlockDevice): string {
  return identity?.names.udev ?? identity?.key ?? wwid ?? '-'
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']

/** Three digits at most, in binary units: 1536 is '1.5 KiB'. */
export function humanSize(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  const value = bytes / 1024 ** power
  return `${value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toPrecision(3).replace(/\.?0+$/, '')} ${units[power] ?? ''}`
}

function byNaturalName(a: BlockDevice, b: BlockDevice): number {
  return a.name.localeCompare(b.name, 'en', { numeric: true })
}
