import { failedWith } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { readFile } from '../files.ts'
import type { Devices } from '../inventory/devices.ts'
import { compareUnits } from './identity.ts'
import type { ScsiIdentity } from './identity.ts'
import { findDisk, liveIdentityInReach, remove } from './unit.ts'
import type { Disk, UnitAddress } from './unit.ts'

/** One SCSI disk of this host: one way to its volume. */
export interface ScsiPath {
  readonly unit: UnitAddress
  readonly disk: Disk
  /** 0 to 2^63: as the kernel counts LUNs. */
  readonly lun: number
  /** Where it sits below /sys/devices, which tells what it hangs on. */
  readonly sysfs: string
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
  return devices.flatMap(({ kind, scsi, name, path, sysfs, identity, diskSequence, holders }) => {
    if (kind !== 'disk' || scsi === null) return []
    const { hctl, host, lun, session, remotePort } = scsi
    const disk = { name, path }
    const unit = { hctl, host }
    return [{ unit, disk, lun, sysfs, session, remotePort, noted: identity, sequence: diskSequence, holders }]
  })
}

/**
 * What a path leads to now, beside what the kernel noted: the same volume or another one, which is unknown when one of them
 * does not say it; no unit any more; or its target is out of reach.
 */
export type Standing = ReturnType<typeof compareUnits> | 'absent' | 'unreachable'

export async function standingOf({ unit, disk, noted }: ScsiPath, signal: AbortSignal): Promise<Standing> {
  const live = await liveIdentityInReach(unit, disk, signal)
  if (live === null) return 'unreachable'
  return live === undefined ? 'absent' : compareUnits(noted, live)
}

/** Whether the disk's name is still its own. */
export async function isStillThere({ disk, sequence }: ScsiPath, signal: AbortSignal): Promise<boolean> {
  return sequence === null || (await numberOf(disk, signal)) === sequence
}

/** Whether another disk is at its place now. One that is just going is none. */
export async function isReplaced({ unit, sequence }: ScsiPath, signal: AbortSignal): Promise<boolean> {
  const disk = await findDisk(unit, signal)
  const number = disk && (await numberOf(disk, signal))
  return number !== undefined && sequence !== null && number !== sequence
}

/** The kernel's number of the disk; undefined when it is going, or the kernel does not say. */
async function numberOf({ name }: Disk, signal: AbortSignal): Promise<number | undefined> {
  const number = await readFile('sysfs', `/sys/class/block/${name}/diskseq`, signal, ['ENOENT', 'ENODEV'])
  return number && Number(number.toString())
}

/**
 * Removes the disk from this host. One that has gone already is fine.
 *
 * @throws BrickError IDENTITY_MISMATCH when somebody else has removed it, and brought another one to its place
 */
export async function removePath({ unit, disk, sequence }: ScsiPath, signal: AbortSignal): Promise<void> {
  try {
    await remove(unit, signal, { only: sequence })
  } catch (error) {
    if (!failedWith(error, 'ESTALE')) throw error
    throw new BrickError('IDENTITY_MISMATCH', `${disk.path} is another disk now than the one that was to be removed`, {
      details: { device: disk.path },
    })
  }
}
