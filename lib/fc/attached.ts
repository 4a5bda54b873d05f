import { readFiles, textOf } from '../files.ts'
import { blockDevices } from '../inventory/inventory.ts'
import { isMultipathdListening } from '../multipath/daemon.ts'
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
import { wwnIn } from './wwn.ts'

export interface FoundVolume extends AttachedVolume {
  readonly portNames: PortNames
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
  const host = await blockDevices(signal)
  const disks = scsiPaths(host).filter(({ remotePort }) => remotePort !== null)
  const portNames = await portNamesOf(disks, signal)
  return { portNames, ...gather(disks, (disk) => isPlaced(disk, portNames, targets), expected, host) }
}

/** The disks behind the ports that the properties name. */
export async function findPlaced(targets: readonly FibreChannelTarget[], signal: AbortSignal): Promise<ScsiPath[]> {
  const disks = scsiPaths(await blockDevices(signal))
  const portNames = await portNamesOf(disks, signal)
  return disks.filter((disk) => isPlaced(disk, portNames, targets))
}

/** Of remote ports, by 'rport-H:B-R'; a port that has gone by now has none. */
type PortNames = ReadonlyMap<string | null, string>

/** Of the ports that disks are behind, which are often a few of those that this host sees. */
async function portNamesOf(disks: readonly ScsiPath[], signal: AbortSignal): Promise<PortNames> {
  const ports = new Set(disks.map(({ remotePort }) => remotePort).filter((port) => port !== null))
  const paths = Object.fromEntries([...ports].map((port) => [port, `/sys/class/fc_remote_ports/${port}/port_name`]))
  const names = new Map<string, string>()
  for (const [port, file] of Object.entries(await readFiles('fc', paths, signal))) {
    const name = wwnIn(textOf(file, ['ENOENT', 'ENODEV'])?.trim() ?? '')
    if (name !== undefined) names.set(port, name)
  }
  return names
}

function isPlaced({ remotePort, lun }: ScsiPath, names: PortNames, targets: readonly FibreChannelTarget[]): boolean {
  const portName = names.get(remotePort)
  return targets.some((target) => target.portName === portName && target.lun === lun)
}

/**
 * Takes a volume's disks off this host.
 *
 * @param flushed whether all is written; if not, the disks are made to fail what is still to be written
 */
export async function leave(
  { paths, portNames }: FoundVolume,
  flushed: boolean,
  architecture: Architecture,
  operation: Operation,
): Promise<void> {
  await together(
    paths.map(async (path) => {
      const { unit, disk, sequence } = path
      await operation.step('forget', async (signal) => {
        if (isMultipathdListening() && (await isStillThere(path, signal))) await forgetPath(disk, signal)
      })
      if (!flushed) await operation.step('offline', (signal) => takeOffline(unit, signal, sequence))
      await operation.step('delete', async (signal) => {
        await removePath(path, signal)
        await accessTo(path, portNames, architecture)?.forget(unit, signal)
      })
    }),
  )
}

function accessTo(path: ScsiPath, portNames: PortNames, architecture: Architecture): UnitAccess | undefined {
  const { remotePort, unit, sysfs, lun } = path
  const portName = portNames.get(remotePort)
  return portName === undefined
    ? undefined
    : architecture.access({ host: unit.host, sysfs }, { portName, lun: kernelLun(lun) })
}
