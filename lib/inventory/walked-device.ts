import { Lazy } from '../lazy.ts'
import { identify } from '../scsi/identity.ts'
import type { IdentityPages, ScsiIdentity } from '../scsi/identity.ts'
import type { BlockDevice, DeviceMap, NvmePlace, RaidArray, ScsiPlace, Transport } from './block-device.ts'
import { controllerAttributes } from './controllers.ts'
import { scsiPlaceOf, transportOf } from './place.ts'
import type { WalkEntry } from './walk.ts'
import type { WalkFolder } from './walk-plan.ts'

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
    // Of the paths, also of those that are hidden.
    { name: 'ana_state', below: '/nvme' },
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
export const subsystemFolders: readonly WalkFolder[] = [
  { path: 'class/nvme-subsystem', attributes: [{ name: 'subsysnqn' }, { name: 'serial' }], directories: [] },
  { path: 'class/nvme', attributes: [...controllerAttributes, { name: 'serial' }], directories: [] },
]

/** The place of the controllers among them. */
export const controllerFolder = 1

/** A subsystem's NQN and serial number. */
export interface Subsystem {
  readonly nqn: string
  readonly serial: string | null
}

export function toSubsystem(entry: WalkEntry): Subsystem {
  return { nqn: entry.text('subsysnqn') ?? '', serial: unlessBlank(entry.text('serial')) }
}

const none: readonly string[] = []

/** Attributes that make a field of their own, and nothing else as long as they can be read. */
const ownFields: Readonly<Record<string, keyof BlockDevice>> = { size: 'size', ro: 'readOnly' }

/** A block device in the words of a walk. */
export class WalkedDevice extends Lazy implements BlockDevice {
  readonly name: string
  readonly #entry: WalkEntry
  readonly #holders: ReadonlyMap<string, readonly string[]>
  readonly #subsystems: ReadonlyMap<string, Subsystem>
  #uevent: string | undefined
  #scsi: ScsiPlace | null | undefined
  #identity: ScsiIdentity | null | undefined
  #nvme: NvmePlace | null | undefined

  /**
   * @param holders the names of what is built upon each device
   * @param subsystems by the names of what is in the folders of subsystems and controllers
   */
  constructor(
    entry: WalkEntry,
    holders: ReadonlyMap<string, readonly string[]>,
    subsystems: ReadonlyMap<string, Subsystem>,
  ) {
    super()
    this.name = entry.name
    this.#entry = entry
    this.#holders = holders
    this.#subsystems = subsystems
  }

  /** Whether it has a node, unlike the hidden paths of native NVMe multipath, whose `uevent` has no number. */
  static hasNode(entry: WalkEntry): boolean {
    return entry.begins('uevent', 'MAJOR=')
  }

  get holders(): readonly string[] {
    return this.#holders.get(this.name) ?? none
  }

  get path(): string {
    return `/dev/${this.#property('DEVNAME') ?? this.name}`
  }

  get kind(): 'disk' | 'partition' {
    return this.#property('DEVTYPE') === 'partition' ? 'partition' : 'disk'
  }

  get devno(): string {
    return `${this.#property('MAJOR') ?? 0}:${this.#property('MINOR') ?? 0}`
  }

  get diskSequence(): number | null {
    return Number(this.#property('DISKSEQ') ?? 0) || null
  }

  get size(): number {
    // sysfs counts in 512-byte sectors, whatever the device's own block is.
    return Number(this.#entry.text('size') ?? 0) * 512
  }

  get readOnly(): boolean {
    return this.#entry.begins('ro', '1')
  }

  get sysfs(): string {
    return this.#entry.path
  }

  get transport(): Transport {
    return transportOf(this.sysfs)
  }

  get scsi(): ScsiPlace | null {
    return this.#scsi !== undefined ? this.#scsi : (this.#scsi = scsiPlaceOf(this.sysfs))
  }

  get identity(): ScsiIdentity | null {
    return this.#identity !== undefined ? this.#identity : (this.#identity = identityOf(this.#entry))
  }

  get wwid(): string | null {
    return this.#entry.text('wwid')
  }

  get nvme(): NvmePlace | null {
    return this.#nvme !== undefined ? this.#nvme : (this.#nvme = nvmePlaceOf(this.#entry, this.#subsystems))
  }

  get map(): DeviceMap | null {
    const name = this.#entry.text('dm/name')
    return name === null ? null : { name, uuid: this.#entry.text('dm/uuid') ?? '' }
  }

  get raid(): RaidArray | null {
    return raidOf(this.#entry)
  }

  get parent(): string | null {
    return this.kind === 'partition' ? (this.sysfs.split('/').at(-2) ?? null) : null
  }

  get slaves(): readonly string[] {
    return this.#entry.names('slaves')?.sort() ?? []
  }

  get unreadable(): Readonly<Record<string, string>> {
    const unreadable = unreadableOf(this.#entry)
    if (this.identity === null && hasPages(this.#entry)) unreadable['device/vpd_pg83'] = 'EBADMSG'
    return unreadable
  }

  /** Which fields are not as they were; undefined when all of them have to be compared to tell. */
  changedSince(before: WalkedDevice): (keyof BlockDevice)[] | undefined {
    const attributes = this.#entry.changedSince(before.#entry)
    if (attributes === undefined || !this.#hasNeighboursOf(before)) return undefined
    const fields: (keyof BlockDevice)[] = []
    for (const attribute of attributes) {
      const field = ownFields[attribute]
      if (field === undefined || !this.#entry.has(attribute) || !before.#entry.has(attribute)) return undefined
      fields.push(field)
    }
    return fields
  }

  /** Whether others than the device itself say the same of it. */
  #hasNeighboursOf(before: WalkedDevice): boolean {
    const { holders } = before
    if (holders.length !== this.holders.length || holders.some((name, at) => name !== this.holders[at])) return false
    return this.nvme === before.nvme || JSON.stringify(this.nvme) === JSON.stringify(before.nvme)
  }

  /** Of the file `uevent`. */
  #property(name: string): string | undefined {
    const uevent = (this.#uevent ??= this.#entry.text('uevent') ?? '')
    const key = `${name}=`
    const at = uevent.startsWith(key) ? 0 : uevent.indexOf(`\n${key}`) + 1
    if (at === 0 && !uevent.startsWith(key)) return undefined
    const end = uevent.indexOf('\n', at)
    return uevent.slice(at + key.length, end < 0 ? undefined : end)
  }
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

/** Null also where a page lies about its lengths: one odd device is no reason to fail a whole inventory. */
function identityOf(entry: WalkEntry): ScsiIdentity | null {
  if (!hasPages(entry)) return null
  try {
    return identify(new EntryPages(entry))
  } catch {
    return null
  }
}

function hasPages(entry: WalkEntry): boolean {
  return pages.some((page) => entry.has(page))
}

const pages = ['../../vpd_pg83', '../../vpd_pg80'] as const

class EntryPages implements IdentityPages {
  readonly #entry: WalkEntry

  constructor(entry: WalkEntry) {
    this.#entry = entry
  }

  get page83(): Buffer | undefined {
    return this.#entry.bytes(pages[0]) ?? undefined
  }

  get page80(): Buffer | undefined {
    return this.#entry.bytes(pages[1]) ?? undefined
  }

  get vendor(): string {
    return this.#inquiry.slice(8, 16)
  }

  get model(): string {
    return this.#inquiry.slice(16, 32)
  }

  get #inquiry(): string {
    return this.#entry.bytes('../../inquiry')?.toString('latin1') ?? ''
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
