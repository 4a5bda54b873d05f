import type { ScsiIdentity } from '../scsi/identity.ts'

/** How a block device hangs on this host; null for devices that the kernel makes up, such as loop devices. */
export type Transport = 'iscsi' | 'fc' | 'sas' | 'usb' | 'ata' | 'scsi' | 'nvme' | 'virtio' | 'mmc' | null

/** Where a SCSI device is. */
export interface ScsiPlace {
  /** 'H:C:T:L': host, channel, target and LUN as the kernel counts them. */
  readonly hctl: string
  /** The number of the SCSI host. */
  readonly host: number
  readonly lun: number
  /** The number of the iSCSI session that the host belongs to; null on other transports. */
  readonly session: number | null
  /** Its remote port, 'rport-H:B-R'; null on other transports than Fibre Channel. */
  readonly remotePort: string | null
}

/** A device-mapper device: what it is called and by whom ('mpath-…', 'LVM-…', 'CRYPT-…'). */
export interface DeviceMap {
  readonly name: string
  readonly uuid: string
}

/** Which NVMe namespace a disk is. */
export interface NvmePlace {
  /** 'nvme-subsys0'; null for a namespace of a single controller, which the kernel does not count as shared. */
  readonly subsystem: string | null
  /** The subsystem's NQN. */
  readonly nqn: string
  /** The subsystem's serial number; null when it is blank. */
  readonly serial: string | null
  /** NSID: the number of the namespace in its subsystem. */
  readonly namespaceId: number
  readonly uuid: string | null
  /** 32 hexadecimal digits. */
  readonly nguid: string | null
  /** 16 hexadecimal digits. */
  readonly eui64: string | null
}

/** A RAID of the kernel's own (MD). */
export interface RaidArray {
  /** 'raid1' and so on. */
  readonly level: string
  /** 'clean', 'active', 'inactive' and so on (Documentation/admin-guide/md.rst). */
  readonly state: string
  /** How many members it is to have. */
  readonly members: number
  /** How many of them it lacks; null for levels that cannot do without any. */
  readonly missing: number | null
}

/**
 * One block device of this host, as the kernel describes it. `null` means that it has no such thing.
 *
 * Of a device of an inventory the properties are made when they are read, out of what was read of all devices at once:
 * they are not the object's own, which a spread would copy. JSON has all of them.
 */
export interface BlockDevice {
  readonly name: string
  /** Its device node. */
  readonly path: string
  readonly kind: 'disk' | 'partition'
  /** 'major:minor'; reused after removal, unlike `diskSequence`. */
  readonly devno: string
  /** The kernel's number of this disk, never used twice while the host runs; null before Linux 5.15. */
  readonly diskSequence: number | null
  /** Bytes. */
  readonly size: number
  readonly readOnly: boolean
  /** Where it sits below /sys/devices. */
  readonly sysfs: string
  readonly transport: Transport
  readonly scsi: ScsiPlace | null
  /** What a SCSI disk said of itself when the kernel last asked. */
  readonly identity: ScsiIdentity | null
  /** Of an NVMe namespace: the kernel's `wwid`. */
  readonly wwid: string | null
  readonly nvme: NvmePlace | null
  readonly map: DeviceMap | null
  readonly raid: RaidArray | null
  /** The disk that a partition is on. */
  readonly parent: string | null
  /** The devices that are built upon this one, and those that it is built upon; in the order of their names. */
  readonly holders: readonly string[]
  readonly slaves: readonly string[]
  /** What is there and could not be read, with the errno's name. */
  readonly unreadable: Readonly<Record<string, string>>
}
