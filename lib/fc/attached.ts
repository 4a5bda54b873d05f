import { blockDevices } from '../inventory/inventory.ts'
import { forgetPath } from '../multipath/removal.ts'
import type { Operation } from '../operation.ts'
import type { FibreChannelTarget } from '../properties/fibre-channel.ts'
import { kernelLun } from '../scsi/lun.ts'
import { isStillThere, removePath, scsiPaths } from '../scsi/paths.ts'
import type { ScsiPath } from '../scsi/paths.ts'
import { takeOffline } from '../scsi/unit.ts'
import type { UnitAccess } from '../scsi/unit.ts'
import { together } from '../together.ts'
import { gather } from '../volume/attached.ts'
import type { AttachedVolume } from '../volume/release.ts'
import type { Architecture } from './architecture.ts'
import { readFabric } from './ports.ts'
import type { Fabric } from './ports.ts'

export interface FoundVolume extends AttachedVolume {
  readonly fabric: Fabric
}

/**
 * Every disk of the volume on this host, whoever attached it and however: those behind the ports that the properties
 * name, and all others that say of themselves that they are this volume.
 *
 * @throws BrickError IDENTITY_MISMATCH when there is another volume at its place
 */
export async function findVolume(
  targets: readonly FibreChannelTarget[],
  expected: string | undefined,
  signal: AbortSignal,
): Promise<FoundVolume> {
  const [fabric, host] = await Promise.all([readFabric(signal), blockDevices(signal)])
  const disks = scsiPaths(host).filter(({ remotePort }) => remotePort !== null)
  return { fabric, ...gather(disks, (disk) => isPlaced(disk, fabric, targets), expected, host) }
}

/** The disks behind the ports that the properties name. */
export async function findPlaced(targets: readonly FibreChannelTarget[], signal: AbortSignal): Promise<ScsiPath[]> {
  const [fabric, host] = await Promise.all([readFabric(signal), blockDevices(signal)])
  return scsiPaths(host).filter((disk) => isPlaced(disk, fabric, targets))
}

function isPlaced(disk: ScsiPath, fabric: Fabric, targets: readonly FibreChannelTarget[]): boolean {
  const portName = portNameOf(disk, fabric)
  return targets.some((target) => target.portName === portName && target.lun === disk.lun)
}

function portNameOf({ remotePort }: ScsiPath, { remotePorts }: Fabric): string | undefined {
  return remotePorts.find(({ name }) => name === remotePort)?.portName
}

/**
 * Takes a volume's disks off this host.
 *
 * @param flushed whether all is written; if not, the disks are made to fail what is still to be written
 */
export async function leave(
  { paths, fabric }: FoundVolume,
  flushed: boolean,
  architecture: Architecture,
  operation: Operation,
): Promise<void> {
  await together(
    paths.map(async (path) => {
      const { unit, disk } = path
      await operation.step('forget', async (signal) => {
        if (await isStillThere(path, signal)) await forgetPath(disk, signal)
      })
      if (!flushed) await operation.step('offline', (signal) => takeOffline(unit, signal))
      await operation.step('delete', async (signal) => {
        await removePath(path, signal)
        await accessTo(path, fabric, architecture)?.forget(unit, signal)
      })
    }),
  )
}

function accessTo(path: ScsiPath, fabric: Fabric, architecture: Architecture): UnitAccess | undefined {
  const own = fabric.hostPorts.find(({ host }) => host === path.unit.host)
  const portName = portNameOf(path, fabric)
  if (own === undefined || portName === undefined) return undefined
  return architecture.access(own, { portName, lun: kernelLun(path.lun) })
}
