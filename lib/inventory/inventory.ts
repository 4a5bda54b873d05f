import { orAborted } from '../abort.ts'
import { binding, finish } from '../binding.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { blockFolder, toBlockDevice } from './block-device.ts'
import type { BlockDevice } from './block-device.ts'
import { readWalk } from './walk.ts'

/** The block devices of this host at one moment. */
export interface Inventory {
  readonly devices: readonly BlockDevice[]
  readonly byName: ReadonlyMap<string, BlockDevice>
  /** By 'major:minor'. */
  readonly byDevno: ReadonlyMap<string, BlockDevice>
  /** SCSI disks by 'H:C:T:L'. */
  readonly byHctl: ReadonlyMap<string, BlockDevice>
  /** By every name that the kernel, udev or multipath have for the volume. All paths to it have the same. */
  readonly byWwid: ReadonlyMap<string, readonly BlockDevice[]>
}

const sysfs = '/sys'
/** A walk serves everybody who waits for it: no single caller ends it. */
const never = new AbortController().signal

/**
 * Lists the block devices of this host, without asking the devices themselves anything.
 *
 * @throws BrickError SYSTEM or PERMISSION_DENIED when sysfs cannot be read
 */
export async function inventory(options: CallOptions = {}): Promise<Inventory> {
  using operation = new Operation('inventory', options)
  return operation.step('walk', (signal) => takeInventory(signal))
}

/** The walk that others who ask meanwhile are to get as well: it has not begun yet. */
let next: Promise<Inventory> | undefined
let current: Promise<unknown> = Promise.resolve()

/** Callers that come while a walk runs share the one after it, which begins later than they asked. */
export async function takeInventory(signal: AbortSignal): Promise<Inventory> {
  const shared = (next ??= current.then(
    () => begin(),
    () => begin(),
  ))
  return orAborted(shared, signal)
}

function begin(): Promise<Inventory> {
  next = undefined
  const walk = readInventory(sysfs)
  current = walk
  return walk
}

async function readInventory(root: string): Promise<Inventory> {
  const folders = [blockFolder]
  const bytes = await finish(binding().walk('inventory', root, folders), never)
  const devices: BlockDevice[] = []
  for (const entry of readWalk(bytes, folders)) {
    const device = toBlockDevice(entry)
    if (device) devices.push(device)
  }
  return index(devices)
}

/** Makes the indexes of a list of devices. */
export function index(devices: readonly BlockDevice[]): Inventory {
  const byWwid = new Map<string, BlockDevice[]>()
  for (const device of devices) {
    for (const name of wwidsOf(device)) {
      const same = byWwid.get(name)
      if (same) same.push(device)
      else byWwid.set(name, [device])
    }
  }
  const disks = devices.filter(({ kind }) => kind === 'disk')
  return {
    devices,
    byName: new Map(devices.map((device) => [device.name, device])),
    byDevno: new Map(devices.map((device) => [device.devno, device])),
    byHctl: new Map(disks.flatMap((device) => (device.scsi ? [[device.scsi.hctl, device] as const] : []))),
    byWwid,
  }
}

/** Every name of the volume behind a device. */
export function wwidsOf({ identity, wwid, map }: BlockDevice): string[] {
  const names = new Set<string>()
  for (const name of [identity?.names.kernel, identity?.names.udev, identity?.names.multipath, wwid]) {
    if (name !== null && name !== undefined) names.add(name)
  }
  if (map?.uuid.startsWith('mpath-')) names.add(map.uuid.slice('mpath-'.length))
  return [...names]
}
