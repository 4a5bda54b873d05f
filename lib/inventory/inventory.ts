import { orAborted } from '../abort.ts'
import { binding, finishWithin } from '../binding.ts'
import { asBrickError, Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { SharedLook } from '../shared-look.ts'
import type { BlockDevice } from './block-device.ts'
import type { NvmeControllerPlace } from './controllers.ts'
import { Devices } from './devices.ts'
import { parseMounts } from '../host/mounts.ts'
import type { Mount } from '../host/mounts.ts'
import { readAll } from './read.ts'

/** The block devices and NVMe controllers of this host at one moment. */
export class Inventory extends Devices {
  readonly #mountInfo: string
  readonly #listControllers: () => readonly NvmeControllerPlace[]
  #controllers: readonly NvmeControllerPlace[] | undefined
  #mounts: readonly Mount[] | undefined

  constructor(
    devices: Iterable<BlockDevice>,
    mountInfo = '',
    listControllers: () => readonly NvmeControllerPlace[] = () => [],
  ) {
    super(devices)
    this.#mountInfo = mountInfo
    this.#listControllers = listControllers
  }

  /** All NVMe controllers, those in this host included, and how well each leads to which namespaces. */
  get controllers(): readonly NvmeControllerPlace[] {
    return (this.#controllers ??= this.#listControllers())
  }

  /** All that is mounted, in the mount namespace of this process. */
  get mounts(): readonly Mount[] {
    return (this.#mounts ??= parseMounts(this.#mountInfo))
  }

  /** What is mounted of a device. */
  mountsOf({ devno, path, map }: BlockDevice): Mount[] {
    const nodes = [path, map && `/dev/mapper/${map.name}`]
    return this.mounts.filter((mount) => mount.devno === devno || nodes.includes(mount.source))
  }
}

/**
 * Lists the block devices of this host, without asking the devices themselves anything.
 *
 * @throws BrickError SYSTEM or PERMISSION_DENIED when sysfs cannot be read
 */
export async function inventory(options?: CallOptions): Promise<Inventory> {
  // Most callers bring no bounds of their own: they wait for the walk, which has one, and cost next to nothing.
  if (options === undefined) return shared.take()
  using operation = new Operation('inventory', options)
  return await operation.step('walk', (signal) => orAborted(shared.take(), signal))
}

/** The block devices alone, for those who do not ask what is mounted. */
export async function blockDevices(signal: AbortSignal): Promise<Devices> {
  const { devices } = await orAborted(sharedWalk.take(), signal)
  return devices
}

const sharedWalk = new SharedLook(async () => {
  const found = await readAll()
  return { devices: new Devices(found.devices), listControllers: found.controllers }
})

const shared = new SharedLook(async () => {
  const [{ devices, listControllers }, mountInfo] = await Promise.all([sharedWalk.take(), readMountInfo()])
  return new Inventory(devices.devices, mountInfo, listControllers)
})

async function readMountInfo(): Promise<string> {
  const path = '/proc/self/mountinfo'
  try {
    const text = await finishWithin(binding().readFile('mounts', path), 60_000)
    return text.toString()
  } catch (error) {
    throw asBrickError(error, 'mounts')
  }
}
