import { originalPath } from '../encryption/link-name.ts'
import { invalid } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'

/** One way to the volume, as it was when the call returned. */
export interface PathInfo {
  /** The device node of this path. */
  readonly path: string
  /** Where it leads: 'address:port', or the name of the target's Fibre Channel port, '0x5006…'. */
  readonly portal: string
  /** The name of this host's own port where a Fibre Channel path begins. */
  readonly initiator?: string
  /** 'H:C:T:L' of a SCSI path. */
  readonly hctl?: string
  /** The controller of an NVMe path: 'nvme1'. */
  readonly controller?: string
  /** How well an NVMe path reaches the volume: 'optimized', 'non-optimized' and so on; null where it makes no difference. */
  readonly ana_state?: string | null
  /** Whether an NVMe path is secured by TLS. */
  readonly tls?: boolean
}

/** Why a path, or the map, is not as the connection properties promise. */
export interface PathFailure {
  /** The portal that it concerns; null when it concerns the volume as a whole. */
  readonly portal: string | null
  readonly code: ErrorCode
  readonly message: string
}

/** Which device it was, for telling it from any other that later has its name. */
export interface IdentityInfo {
  /** Where the value comes from; 'node' when nothing is known of the volume but its device node. */
  readonly source: 'vpd' | 'nvme' | 'md' | 'node'
  /**
   * The volume's own name, as udev and os-brick spell it; of NVMe as the kernel spells it, 'uuid.…' or 'eui.…'; of a mirror
   * the array's UUID; or the node.
   */
  readonly value: string
  /** 'major:minor' */
  readonly devno: string
  /** The kernel's number of the disk; 0 before Linux 5.15. */
  readonly diskseq: number
}

/** An attached volume: os-brick's keys with os-brick's meaning, and more. Plain JSON; give it to `disconnectVolume`. */
export interface DeviceInfo {
  /** 'local' when somebody else has brought the device to this host. */
  readonly type: 'block' | 'local'
  /** The device node to use. */
  readonly path: string
  /** The volume's name, as in /dev/disk/by-id/scsi-…; absent when it is no SCSI device. */
  readonly scsi_wwn?: string
  /** What multipathd calls the volume; absent when the device is no multipath map. */
  readonly multipath_id?: string
  /** The paths that are up. */
  readonly paths: readonly PathInfo[]
  /** How many paths the connection properties promise. */
  readonly expected_paths: number
  /** Whether some of them are missing, or are not in the map. */
  readonly degraded: boolean
  readonly failures: readonly PathFailure[]
  readonly identity: IdentityInfo
  /** Bytes. */
  readonly size: number
  /** Milliseconds per step of the attach; what several paths do at the same time adds up. */
  readonly timings: Readonly<Record<string, number>>
}

/** What a detach takes of a device info: what hostbrick or os-brick returned, or the connection data itself, as Nova does. */
export interface KnownDevice {
  /** The volume's name, to prove the device by. */
  readonly wwn: string | undefined
  /** The device node that it had, also where the caller has the link to it that an encrypted volume has. */
  readonly path: string | undefined
}

/**
 * Reads a device info of whatever origin; undefined and null mean that there is none.
 *
 * @param devicePath the node that the connection properties name: Nova notes it there, and has no device info
 */
export function readDeviceInfo(value: unknown, devicePath?: string): KnownDevice {
  if (value === undefined || value === null) return { wwn: undefined, path: devicePath }
  // The value is not shown: it may be the text of a document with passwords in it.
  if (typeof value !== 'object') throw invalid('deviceInfo', 'what connectVolume returned', typeof value)
  const { identity, scsi_wwn, multipath_id, path, device_path } = value as Partial<
    Record<'identity' | 'scsi_wwn' | 'multipath_id' | 'path' | 'device_path', unknown>
  >
  const own = (identity as { value?: unknown } | null | undefined)?.value
  const node = firstText(path, device_path, devicePath)
  return { wwn: firstText(own, scsi_wwn, multipath_id), path: node && originalPath(node) }
}

/** Python's None and the empty string are none. */
function firstText(...values: readonly unknown[]): string | undefined {
  return values.find((value): value is string => typeof value === 'string' && value !== '')
}
