import { failedWith } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { readFile } from '../files.ts'
import type { Devices } from '../inventory/devices.ts'
import type { ScsiIdentity } from './identity.ts'
import { findDisk, remove } from './unit.ts'
import type { Disk, UnitAddress } from './unit.ts'

/** One SCSI disk of this host: one way to its volume. */
export interface ScsiPath {
  readonly unit: UnitAddress
  readonly disk: Disk
  /** 0 to 2^63: as the kernel counts LUNs. */
  readonly lun: number
  /** The iSCSI session that it hangs on; null on other transports. */
  readonly session: number | null
  /** The Fibre Channel port that it is behind, 'rport-H:B-R'; null on other transports. */
  readonly remotePort: string | null
  /** What the kernel noted of the unit when it found it; null where it has no page to go by. */
  readonly noted: ScsiIdentity | null
  /** The kernel's number of this disk, never used twice while the host runs; null before Linux 5.15. */
  readonly sequence: number | null
  /** The devices that are built upon this one. */
  readonly holders: readonly string[]
}

/** Every SCSI disk of this host. */
export function scsiPaths({ devices }: Devices): ScsiPath[] {
  return devices.flatMap(({ kind, scsi, name, path, identity, diskSequence, holders }) => {
    if (kind !== 'disk' || scsi === null) return []
    const { hctl, host, lun, session, remotePort } = scsi
    const disk = { name, path }
    const unit = { hctl, host }
    return [{ unit, disk, lun, session, remotePort, noted: identity, sequence: diskSequence, holders }]
  })
}

/** Whether the disk's name is still its own. */
export async function isStillThere(
  { disk, sequence }: Pick<ScsiPath, 'disk' | 'sequence'>,
  signal: AbortSignal,
): Promise<boolean> {
  if (sequence === null) return true
  const number = await readFile('sysfs', `/sys/class/block/${disk.name}/diskseq`, signal, ['ENOENT', 'ENODEV'])
  return number?.toString() === `${sequence}\n`
}

/** Whether another disk is at its place now. */
export async function isReplaced({ unit, sequence }: ScsiPath, signal: AbortSignal): Promise<boolean> {
  const disk = await findDisk(unit, signal)
  return disk !== undefined && !(await isStillThere({ disk, sequence }, signal))
}

/**
 * Removes the disk from this host. One that has gone already is fine.
 *
 * @throws BrickError IDENTITY_MISMATCH when somebody else has removed it, and brought another one to its place
 */
export async function removePath({ unit, disk, sequence }: ScsiPath, signal: AbortSignal): Promise<void> {
  try {
    await remove(unit, signal, sequence === null ? {} : { only: sequence })
  } catch (error) {
    if (!failedWith(error, 'ESTALE')) throw error
    throw new BrickError('IDENTITY_MISMATCH', `${disk.path} is another disk now than the one that was to be removed`, {
      details: { device: disk.path },
    })
  }
}
