import type { Inventory } from '../inventory/inventory.ts'
import type { ScsiIdentity } from './identity.ts'
import type { Disk, UnitAddress } from './unit.ts'

/** One SCSI disk of this host: one way to its volume. */
export interface ScsiPath {
  readonly unit: UnitAddress
  readonly disk: Disk
  /** 0 to 2^63: as the kernel counts LUNs. */
  readonly lun: number
  /** The iSCSI session that it hangs on; null on other transports. */
  readonly session: number | null
  /** What the kernel noted of the unit when it found it; null where it has no page to go by. */
  readonly noted: ScsiIdentity | null
  /** The kernel's number of this disk, never used twice while the host runs; null before Linux 5.15. */
  readonly sequence: number | null
  /** The devices that are built upon this one. */
  readonly holders: readonly string[]
}

/** Every SCSI disk of this host. */
export function scsiPaths({ devices }: Inventory): ScsiPath[] {
  return devices.flatMap(({ kind, scsi, name, path, identity, diskSequence, holders }) => {
    if (kind !== 'disk' || scsi === null) return []
    const { hctl, host, lun, session } = scsi
    const disk = { name, path }
    return [{ unit: { hctl, host }, disk, lun, session, noted: identity, sequence: diskSequence, holders }]
  })
}
