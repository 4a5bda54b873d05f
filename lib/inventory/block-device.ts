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

/** What only disks have that can be opened: of a hidden path of NVMe's the first line is the type. */
const when = '\nDEVTYPE=disk'
const scsi = { below: '/target', when }
const nvme = { below: '/nvme', when }
const map = { below: '/virtual/block/dm-', when }
const raid = { below: '/virtual/block/md', when }

/**
 * What a walk asks of block devices. `uevent` first: each device has it for as long as it exists. `../..` of a disk is
 * its SCSI device, which the kernel finds faster in this way than by the link that is called `device`.
 */
export const blockFolder: WalkFolder = {
  path: 'class/block',
  attributes: [
    { name: 'uevent' },
    { name: 'size' },
    { name: 'ro' },
    { name: '../../vpd_pg83', ...scsi },
    { name: '../../vpd_pg80', ...scsi },
    { name: '../../inquiry', ...scsi },
    { name: 'wwid', ...nvme },
    { name: 'nsid', ...nvme },
    { name: 'nguid', ...nvme },
    { name: 'eui', ...nvme },
    { name: 'dm/name', ...map },
    { name: 'dm/uuid', ...map },
    { name: 'md/level', ...raid },
    { name: 'md/array_state', ...raid },
    { name: 'md/raid_disks', ...raid },
    { name: 'md/degraded', ...raid },
  ],
  // Only such devices are built upon others. Their `holders` say the same the other way round, at twice the cost.
  directories: [{ name: 'slaves', below: '/virtual/block/', when }],
}

/** Where the kernel says which subsystem an NVMe namespace is of: its own folder, or its only controller's. */
export const subsystemFolders: readonly WalkFolder[] = ['class/nvme-subsystem', 'class/nvme'].map((path) => ({
  path,
  attributes: [{ name: 'subsysnqn' }, { name: 'serial' }],
  directories: [],
}))

/** A subsystem's NQN and serial number. */
export interface Subsystem {
  readonly nqn: string
  readonly serial: string | null
}

export function toSubsystem(entry: WalkEntry): Subsystem {
  return { nqn: entry.text('subsysnqn') ?? '', serial: unlessBlank(entry.text('serial')) }
}

/**
 * Undefined for devices without a node, such as the hidden paths of native NVMe multipath.
 *
 * @param subsystems by the names of what is in the folders of subsystems and controllers
 */
export function toBlockDevice(
  entry: WalkEntry,
  subsystems: ReadonlyMap<string, Subsystem>,
  holders: readonly string[],
): BlockDevice | undefined {
  const uevent = entry.text('uevent') ?? ''
  const [major, minor] = [property(uevent, 'MAJOR'), property(uevent, 'MINOR')]
  if (major === undefined || minor === undefined || major === '0') return undefined
  const kind = property(uevent, 'DEVTYPE') === 'partition' ? 'partition' : 'disk'
  const sequence = Number(property(uevent, 'DISKSEQ') ?? 0)
  const unreadable = unreadableOf(entry)
  return {
    name: entry.name,
    path: `/dev/${property(uevent, 'DEVNAME') ?? entry.name}`,
    kind,
    devno: `${major}:${minor}`,
    diskSequence: sequence > 0 ? sequence : null,
    // sysfs counts in 512-byte sectors, whatever the device's own block is.
    size: Number(entry.text('size') ?? 0) * 512,
    readOnly: entry.text('ro') === '1',
    sysfs: entry.path,
    transport: transportOf(entry.path),
    scsi: scsiPlaceOf(entry.path),
    identity: identityOf(entry, unreadable),
    wwid: entry.text('wwid'),
    nvme: nvmePlaceOf(entry, subsystems),
    map: mapOf(entry),
    raid: raidOf(entry),
    parent: kind === 'partition' ? (entry.path.split('/').at(-2) ?? null) : null,
    holders,
    slaves: entry.names('slaves')?.toSorted() ?? [],
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

export function transportOf(path: string): Transport {
  return transports.find(([pattern]) => pattern.test(path))?.[1] ?? null
}

/** By the names that attributes have in `device`. */
function unreadableOf(entry: WalkEntry): Record<string, string> {
  const unreadable: Record<string, string> = {}
  for (const [name, error] of Object.entries(entry.unreadable)) {
    // EINVAL: the kernel has asked for the page and the device has none (show_vpd in drivers/scsi/scsi_sysfs.c).
    if (error !== 'EINVAL' || !name.startsWith('../../')) unreadable[name.replace('../..', 'device')] = error
  }
  return unreadable
}

function identityOf(entry: WalkEntry, unreadable: Record<string, string>): ScsiIdentity | null {
  const page83 = entry.bytes('../../vpd_pg83') ?? undefined
  const page80 = entry.bytes('../../vpd_pg80') ?? undefined
  if (page83 === undefined && page80 === undefined) return null
  const inquiry = entry.bytes('../../inquiry')?.toString('latin1') ?? ''
  try {
    return identify({ page83, page80, vendor: inquiry.slice(8, 16), model: inquiry.slice(16, 32) })
  } catch {
    // A page that lies about its lengths: one odd device is no reason to fail the whole inventory.
    unreadable['device/vpd_pg83'] = 'EBADMSG'
    return null
  }
}

function nvmePlaceOf(entry: WalkEntry, subsystems: ReadonlyMap<string, Subsystem>): NvmePlace | null {
  const number = entry.text('nsid')
  if (number === null) return null
  const above = entry.path.split('/').at(-2) ?? ''
  const { nqn = '', serial = null } = subsystems.get(above) ?? {}
  return {
    subsystem: above.startsWith('nvme-subsys') ? above : null,
    nqn,
    serial,
    namespaceId: Number(number),
    // Not from the attribute `uuid`, which shows the NGUID of a namespace that has no UUID.
    uuid: /^uuid\.(.+)$/.exec(entry.text('wwid') ?? '')?.[1] ?? null,
    nguid: entry.text('nguid')?.replaceAll('-', '') ?? null,
    eui64: entry.text('eui')?.replaceAll(' ', '') ?? null,
  }
}

function mapOf(entry: WalkEntry): DeviceMap | null {
  const name = entry.text('dm/name')
  return name === null ? null : { name, uuid: entry.text('dm/uuid') ?? '' }
}

function raidOf(entry: WalkEntry): RaidArray | null {
  const level = entry.text('md/level')
  if (level === null) return null
  const missing = entry.text('md/degraded')
  return {
    level,
    state: entry.text('md/array_state') ?? '',
    // While it is being reshaped: 'new (old)'.
    members: Number.parseInt(entry.text('md/raid_disks') ?? '0'),
    missing: missing === null ? null : Number(missing),
  }
}

function unlessBlank(text: string | null): string | null {
  const trimmed = text?.trim() ?? ''
  return trimmed === '' ? null : trimmed
}

/** A property of the file `uevent`. */
function property(uevent: string, name: string): string | undefined {
  const key = `${name}=`
  const at = uevent.startsWith(key) ? 0 : uevent.indexOf(`\n${key}`) + 1
  if (at === 0 && !uevent.startsWith(key)) return undefined
  const end = uevent.indexOf('\n', at)
  return uevent.slice(at + key.length, end < 0 ? undefined : end)
}
