import { orAborted } from '../abort.ts'
import { binding, finish } from '../binding.ts'
import { asBrickError, Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { SharedLook } from '../shared-look.ts'
import { blockFolder, toBlockDevice } from './block-device.ts'
import type { BlockDevice } from './block-device.ts'
import { readWalk } from './walk.ts'

/** The block devices of this host at one moment. Lists and indexes are made when they are first asked for. */
export class Inventory {
  readonly #read: () => BlockDevice[]
  #devices: readonly BlockDevice[] | undefined
  #byName: ReadonlyMap<string, BlockDevice> | undefined
  #byDevno: ReadonlyMap<string, BlockDevice> | undefined
  #byHctl: ReadonlyMap<string, BlockDevice> | undefined
  #byWwid: ReadonlyMap<string, readonly BlockDevice[]> | undefined

  /** `read` is called once at most. */
  constructor(read: () => BlockDevice[]) {
    this.#read = read
  }

  get devices(): readonly BlockDevice[] {
    return (this.#devices ??= this.#read())
  }

  get byName(): ReadonlyMap<string, BlockDevice> {
    return (this.#byName ??= new Map(this.devices.map((device) => [device.name, device])))
  }

  /** By 'major:minor'. */
  get byDevno(): ReadonlyMap<string, BlockDevice> {
    return (this.#byDevno ??= new Map(this.devices.map((device) => [device.devno, device])))
  }

  /** SCSI disks by 'H:C:T:L'. */
  get byHctl(): ReadonlyMap<string, BlockDevice> {
    const disks = this.devices.filter(({ kind }) => kind === 'disk')
    return (this.#byHctl ??= new Map(disks.flatMap((disk) => (disk.scsi ? [[disk.scsi.hctl, disk] as const] : []))))
  }

  /** By every name that the kernel, udev or multipath have for the volume. All paths to it have the same. */
  get byWwid(): ReadonlyMap<string, readonly BlockDevice[]> {
    return (this.#byWwid ??= indexByWwid(this.devices))
  }
}

/** Milliseconds that a walk may take. It reads memory only: a kernel that does not answer for so long is in trouble. */
const patience = 60_000

/**
 * Lists the block devices of this host, without asking the devices themselves anything.
 *
 * @throws BrickError SYSTEM or PERMISSION_DENIED when sysfs cannot be read
 */
export async function inventory(options?: CallOptions): Promise<Inventory> {
  // Most callers bring no bounds of their own: they wait for the walk, which has one, and cost next to nothing.
  if (options === undefined) return walks.take()
  using operation = new Operation('inventory', options)
  return await operation.step('walk', (signal) => orAborted(walks.take(), signal))
}

const walks = new SharedLook(() => readInventory('/sys'))

async function readInventory(root: string): Promise<Inventory> {
  const folders = [blockFolder]
  try {
    const bytes = await finish(binding().walk('inventory', root, folders), AbortSignal.timeout(patience))
    return new Inventory(() => {
      const devices = [...readWalk(bytes, folders)].map((entry) => toBlockDevice(entry))
      return devices.filter((device) => device !== undefined)
    })
  } catch (error) {
    throw asBrickError(error, 'walk')
  }
}

function indexByWwid(devices: readonly BlockDevice[]): Map<string, BlockDevice[]> {
  const index = new Map<string, BlockDevice[]>()
  for (const device of devices) {
    for (const name of wwidsOf(device)) {
      const same = index.get(name)
      if (same) same.push(device)
      else index.set(name, [device])
    }
  }
  return index
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
