import { binding, failedWith, finish } from '../binding.ts'
import type { DeviceFacts, Identification, Job } from '../binding.ts'
import { deviceFacts, deviceLane, factsWhenOpen } from '../block/disk.ts'
import { bytesOf, listDirectory, readFile, readFiles } from '../files.ts'
import type { FileRead } from '../files.ts'
import { Watch } from '../wait.ts'
import { hasWorldWideName, identify } from './identity.ts'
import type { ScsiIdentity } from './identity.ts'
import { parseInquiry, qualifierOf } from './responses.ts'

/** One logical unit of this host, at its place. */
export interface UnitAddress {
  /** 'H:C:T:L' */
  readonly hctl: string
  readonly host: number
}

/** The device of a logical unit: what has a node. */
export interface Disk {
  readonly name: string
  readonly path: string
}

/** A disk with what it says of itself. */
export interface KnownDisk {
  readonly disk: Disk
  readonly facts: DeviceFacts
  readonly identity: ScsiIdentity
}

/** How the kernel is made to look for a unit. Most transports have the host's `scan` for it. */
export interface UnitAccess {
  /** Returns when the kernel knows the unit, if its target shows it. */
  ask(unit: UnitAddress, signal: AbortSignal): Promise<void>
  /** Takes back what `ask` has left besides the unit. */
  forget(unit: UnitAddress, signal: AbortSignal): Promise<void>
}

/** Milliseconds that a device has to answer a command before the kernel starts recovering it. */
const commandTimeout = 10_000

const folder = (hctl: string): string => `/sys/class/scsi_device/${hctl}/device`

/** Scans, deletions and rescans wait for the host's scan mutex. */
export const hostLane = (host: number): string => `scsi_host:${host}`

/** The unit's disk; undefined when the kernel knows no such unit, or while its disk is still being set up. */
export async function findDisk({ hctl }: UnitAddress, signal: AbortSignal): Promise<Disk | undefined> {
  const [name] = (await listDirectory(`${folder(hctl)}/block`, signal)) ?? []
  return name === undefined ? undefined : { name, path: `/dev/${name}` }
}

/** Whether the kernel has the unit, with a disk or without. */
export async function unitExists({ hctl }: UnitAddress, signal: AbortSignal): Promise<boolean> {
  return (await readFile('sysfs', `${folder(hctl)}/state`, signal, ['ENOENT', 'ENODEV'])) !== undefined
}

/** Whether the unit is there, and more than the place of one: for such a place the kernel has a unit without a disk (scsi_bus_match). */
async function isConnected({ hctl }: UnitAddress, signal: AbortSignal): Promise<boolean> {
  const { state, inquiry } = await readFiles(
    'sysfs',
    { state: `${folder(hctl)}/state`, inquiry: `${folder(hctl)}/inquiry` },
    signal,
  )
  if (bytesOf(state, ['ENOENT', 'ENODEV']) === undefined) return false
  return qualifierOf(bytesOf(inquiry, ['ENOENT', 'ENODEV', 'EINVAL']) ?? Buffer.alloc(0)) === 0
}

export const hostScan: UnitAccess = {
  async ask({ hctl, host }, signal) {
    const [, channel = '', target = '', lun = ''] = hctl.split(':')
    const file = `/sys/class/scsi_host/host${host}/scan`
    await finish(binding().writeAttribute(hostLane(host), file, `${channel} ${target} ${lun}`), signal)
  },
  forget: () => Promise.resolve(),
}

/**
 * Asks the host to look at one LUN, and returns its disk, as soon as the kernel has announced that, with what the unit
 * said of itself. Undefined when the target shows no such unit to this host.
 *
 * The write returns when the unit is known and its pages are read, which is before it has a disk: sd probes it on its
 * own time (sd_probe in drivers/scsi/sd.c). Its folder in sysfs comes next, and only with the announcement can the node
 * be opened (device_add_disk in block/genhd.c).
 */
export async function scan(
  unit: UnitAddress,
  signal: AbortSignal,
  access: UnitAccess = hostScan,
): Promise<KnownDisk | undefined> {
  let announced: OpenedDisk | undefined
  using watch = new Watch('kernel', [`/${unit.hctl}/block/`], (event) => {
    if (event.action !== 'add' || event.property('DEVTYPE') !== 'disk') return false
    const name = event.property('DEVNAME') ?? ''
    announced = openDisk({ name, path: `/dev/${name}` }, signal)
    return true
  })
  await access.ask(unit, signal)
  if (!(await isConnected(unit, signal))) return undefined
  const [{ disk, facts }, identity] = await Promise.all([
    watch.until(
      () => announced,
      signal,
      () => openedDisk(unit, signal),
    ),
    notedIdentity(unit, signal),
  ])
  return { disk, facts: await facts, identity }
}

interface OpenedDisk {
  readonly disk: Disk
  readonly facts: Promise<DeviceFacts>
}

/** The unit's disk, announced or not; undefined while it cannot be opened yet. */
async function openedDisk(unit: UnitAddress, signal: AbortSignal): Promise<OpenedDisk | undefined> {
  const disk = await findDisk(unit, signal)
  if (!disk) return undefined
  const facts = await factsWhenOpen(disk.path, signal)
  return facts && { disk, facts: Promise.resolve(facts) }
}

/** Begins to ask the disk at once; who wants the answer also hears of a failure. */
function openDisk(disk: Disk, signal: AbortSignal): OpenedDisk {
  const facts = deviceFacts(disk.path, signal)
  facts.catch(() => undefined)
  return { disk, facts }
}

/**
 * Removes the unit from this host and returns when its disk has gone. A unit that has gone already is fine.
 *
 * @param offline first makes the kernel fail what is still to be written instead of waiting for the device
 * @param only the number that the kernel gave the disk that is meant, and gives no other while the host runs, unlike a
 *   name and a place: another disk at its place stays
 * @throws SystemError ESTALE when there is another disk
 */
export async function remove(
  unit: UnitAddress,
  signal: AbortSignal,
  { offline = false, only = null }: { offline?: boolean; only?: number | null } = {},
): Promise<void> {
  if (offline) await takeOffline(unit, signal)
  try {
    // With this it has gone: sdev_store_delete in drivers/scsi/scsi_sysfs.c.
    await finish(writeTo(unit, 'delete', '1', only), signal)
  } catch (error) {
    if (!failedWith(error, 'ENOENT', 'ENODEV')) throw error
    // Somebody else has begun to remove it.
    using watch = new Watch('kernel', [`/${unit.hctl}`], ({ action }) => action === 'remove')
    await watch.until(async () => ((await unitExists(unit, signal)) ? undefined : true), signal)
  }
}

/**
 * Makes the kernel fail whatever is still to be written to the unit.
 *
 * @param only the number of the disk that is meant, if it is known: another at its place is left as it is
 */
export async function takeOffline(unit: UnitAddress, signal: AbortSignal, only: number | null = null): Promise<void> {
  try {
    await finish(writeTo(unit, 'state', 'offline\n', only), signal)
  } catch (error) {
    // EINVAL: its transport has lost the target, and will fail it by itself (store_state_field in scsi_sysfs.c).
    if (!failedWith(error, 'ENOENT', 'ENODEV', 'EINVAL', 'ESTALE')) throw error
  }
}

function writeTo({ hctl, host }: UnitAddress, attribute: string, value: string, only: number | null): Job<void> {
  const numbers = only === null ? [] : [{ pattern: `${folder(hctl)}/block/*/diskseq`, content: `${only}\n` }]
  return binding().writeAttributeIf(hostLane(host), `${folder(hctl)}/${attribute}`, value, numbers)
}

/** Makes the kernel read the unit's size and pages anew; it has when this returns (scsi_rescan_device). */
export async function rescan(unit: UnitAddress, signal: AbortSignal): Promise<void> {
  await finish(binding().writeAttribute(hostLane(unit.host), `${folder(unit.hctl)}/rescan`, '1'), signal)
}

/** What the kernel noted of the unit when it found it, or at the last rescan. */
export async function notedIdentity({ hctl }: UnitAddress, signal: AbortSignal): Promise<ScsiIdentity> {
  const file = (name: string): string => `${folder(hctl)}/${name}`
  const files = await readFiles(
    'sysfs',
    { page83: file('vpd_pg83'), page80: file('vpd_pg80'), vendor: file('vendor'), model: file('model') },
    signal,
  )
  // EINVAL: the kernel has asked for the page and the device has none.
  const bytes = (read: FileRead): Buffer | undefined => bytesOf(read, ['ENOENT', 'EINVAL'])
  const line = (read: FileRead): string => bytes(read)?.toString('latin1').replace(/\n$/, '') ?? ''
  const { page83, page80, vendor, model } = files
  return identify({ page83: bytes(page83), page80: bytes(page80), vendor: line(vendor), model: line(model) })
}

/**
 * What the device itself says now: the kernel's notes are as old as its last scan.
 * Undefined when the target shows no unit there any more.
 */
export async function liveIdentity({ path }: Disk, signal: AbortSignal): Promise<ScsiIdentity | undefined> {
  return identityIn(await finish(binding().identify(deviceLane(path), path, commandTimeout), signal))
}

/**
 * The same by as few commands as it takes to compare it: of a unit with a world-wide name nothing else is asked. Null when the
 * kernel sends it no commands, as it is offline, has gone, or its transport has lost the target.
 */
export async function liveIdentityInReach(
  { hctl }: UnitAddress,
  disk: Disk,
  signal: AbortSignal,
): Promise<ScsiIdentity | undefined | null> {
  const { path } = disk
  const asked = binding().designatorsIfRunning(deviceLane(path), path, `${folder(hctl)}/state`, commandTimeout)
  const page83 = await finish(asked, signal)
  if (page83 === null) return null
  const answers = page83.length > 0 && qualifierOf(page83) === 0
  const identity = answers ? identify({ page83, vendor: '', model: '' }) : undefined
  return identity && hasWorldWideName(identity) ? identity : await liveIdentity(disk, signal)
}

function identityIn({ standard, page83, page80 }: Identification): ScsiIdentity | undefined {
  if (standard === null) return undefined
  const { qualifier, vendor, product } = parseInquiry(standard)
  if (qualifier !== 0) return undefined
  return identify({ page83: page83 ?? undefined, page80: page80 ?? undefined, vendor, model: product })
}
