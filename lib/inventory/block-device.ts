import type { WalkFolder } from '../binding.ts'
import { identify } from '../scsi/identity.ts'
import type { ScsiIdentity } from '../scsi/identity.ts'
import type { WalkEntry } from './walk.ts'

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

/** One block device of this host, as the kernel describes it. `null` means that it has no such thing. */
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
  readonly map: DeviceMap | null
  /** The disk that a partition is on. */
  readonly parent: string | null
  /** The devices that are built upon this one, and those that it is built upon. */
  readonly holders: readonly string[]
  readonly slaves: readonly string[]
  /** What is there and could not be read, with the errno's name. */
  readonly unreadable: Readonly<Record<string, string>>
}

/** What a walk asks of block devices. `uevent` first: each device has it for as long as it exists. */
export const blockFolder: WalkFolder = {
  path: 'class/block',
  attributes: [
    { name: 'uevent' },
    { name: 'size' },
    { name: 'ro' },
    { name: 'device/vpd_pg83', below: '/target' },
    { name: 'device/vpd_pg80', below: '/target' },
    { name: 'device/vendor', below: '/target' },
    { name: 'device/model', below: '/target' },
    { name: 'wwid', below: '/nvme' },
    { name: 'dm/name', below: '/virtual/block/dm-' },
    { name: 'dm/uuid', below: '/virtual/block/dm-' },
  ],
  directories: [{ name: 'holders' }, { name: 'slaves' }],
}

/** Undefined for devices without a node, such as the hidden paths of native NVMe multipath. */
export function toBlockDevice(entry: WalkEntry): BlockDevice | undefined {
  const uevent = parseUeventFile(text(entry, 'uevent') ?? '')
  const [major, minor] = [uevent.get('MAJOR'), uevent.get('MINOR')]
  if (major === undefined || minor === undefined || major === '0') return undefined
  const kind = uevent.get('DEVTYPE') === 'partition' ? 'partition' : 'disk'
  const sequence = Number(uevent.get('DISKSEQ') ?? 0)
  const unreadable = { ...entry.unreadable }
  return {
    name: entry.name,
    path: `/dev/${uevent.get('DEVNAME') ?? entry.name}`,
    kind,
    devno: `${major}:${minor}`,
    diskSequence: sequence > 0 ? sequence : null,
    // sysfs counts in 512-byte sectors, whatever the device's own block is.
    size: Number(text(entry, 'size') ?? 0) * 512,
    readOnly: text(entry, 'ro') === '1',
    sysfs: entry.path,
    transport: transportOf(entry.path),
    scsi: scsiPlaceOf(entry.path),
    identity: kind === 'disk' ? identityOf(entry, unreadable) : null,
    wwid: text(entry, 'wwid'),
    map: mapOf(entry),
    parent: kind === 'partition' ? (entry.path.split('/').at(-2) ?? null) : null,
    holders: entry.directories.get('holders') ?? [],
    slaves: entry.directories.get('slaves') ?? [],
    unreadable,
  }
}

/** Which SCSI device a path below /sys/devices is, or hangs on. */
export function scsiPlaceOf(path: string): ScsiPlace | null {
  const [, hctl, host, lun] = /\/target[\d:]+\/((\d+):\d+:\d+:(\d+))(?:\/|$)/.exec(path) ?? []
  if (hctl === undefined) return null
  const session = /\/session(\d+)\//.exec(path)?.[1]
  const remotePort = /\/(rport-[\d:-]+)\//.exec(path)?.[1]
  return {
    hctl,
    host: Number(host),
    lun: Number(lun),
    session: session === undefined ? null : Number(session),
    remotePort: remotePort ?? null,
  }
}

/** What is in a path below /sys/devices, and what it tells. The first that is found decides. */
const transports: readonly (readonly [RegExp, Transport])[] = [
  [/\/session\d+\//, 'iscsi'],
  [/\/rport-/, 'fc'],
  [/\/end_device-/, 'sas'],
  [/\/usb\d+\//, 'usb'],
  [/\/ata\d+\//, 'ata'],
  [/\/target\d/, 'scsi'],
  [/\/nvme/, 'nvme'],
  [/\/virtio\d+\//, 'virtio'],
  [/\/mmc_host\//, 'mmc'],
]

function transportOf(path: string): Transport {
  return transports.find(([pattern]) => pattern.test(path))?.[1] ?? null
}

function identityOf(entry: WalkEntry, unreadable: Record<string, string>): ScsiIdentity | null {
  const page83 = entry.attributes.get('device/vpd_pg83') ?? undefined
  const page80 = entry.attributes.get('device/vpd_pg80') ?? undefined
  if (page83 === undefined && page80 === undefined) return null
  const vendor = text(entry, 'device/vendor') ?? ''
  const model = text(entry, 'device/model') ?? ''
  try {
    return identify({ page83, page80, vendor, model })
  } catch {
    // A page that lies about its lengths: one odd device is no reason to fail the whole inventory.
    unreadable['device/vpd_pg83'] = 'EBADMSG'
    return null
  }
}

function mapOf(entry: WalkEntry): DeviceMap | null {
  const name = text(entry, 'dm/name')
  return name === null ? null : { name, uuid: text(entry, 'dm/uuid') ?? '' }
}

function text(entry: WalkEntry, attribute: string): string | null {
  return entry.attributes.get(attribute)?.toString().replace(/\n$/, '') ?? null
}

function parseUeventFile(content: string): Map<string, string> {
  return new Map(
    content.split('\n').flatMap((line) => {
      const equals = line.indexOf('=')
      return equals > 0 ? [[line.slice(0, equals), line.slice(equals + 1)] as const] : []
    }),
  )
}
