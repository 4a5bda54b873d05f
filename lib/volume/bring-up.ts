import { failedWith } from '../binding.ts'
import { deviceFacts, isInUse } from '../block/disk.ts'
import { BrickError } from '../errors.ts'
import { blockDevices } from '../inventory/inventory.ts'
import { discardMapsAbove } from '../multipath/removal.ts'
import type { Operation } from '../operation.ts'
import type { Rollback } from '../rollback.ts'
import { compareUnits, matchesWwn, sameUnit } from '../scsi/identity.ts'
import type { ScsiIdentity } from '../scsi/identity.ts'
import { scsiPaths, standingOf } from '../scsi/paths.ts'
import type { ScsiPath, Standing } from '../scsi/paths.ts'
import { findDisk, hostScan, liveIdentity, notedIdentity, remove, rescan, scan } from '../scsi/unit.ts'
import type { Disk, KnownDisk, UnitAccess, UnitAddress } from '../scsi/unit.ts'

/** A disk that is proven to be the volume. */
export interface ProvenDisk extends KnownDisk {
  /** The volume's name, as in /dev/disk/by-id/scsi-…. */
  readonly wwn: string
  /** Whether this call has brought it: it was not there before. */
  readonly fresh: boolean
}

export interface BringUpOptions {
  /** How the kernel is made to look for the unit. */
  readonly access?: UnitAccess
  /** Fires when the unit is to be given up, if the kernel still looks for it. */
  readonly patience?: AbortSignal
}

/**
 * Brings a logical unit's disk to this host, or finds it there, and proves what it is.
 *
 * A disk that is already at this place may be left over from a volume that had the same LUN before: what the kernel
 * noted of it must be what the device says now, else it is removed and looked for anew.
 *
 * @throws BrickError LUN_NOT_MAPPED; IDENTITY_MISMATCH when the disk does not say what it is, is not `expected`, or is a
 * leftover that somebody uses
 */
export async function bringUp(
  unit: UnitAddress,
  expected: string | undefined,
  operation: Operation,
  rollback: Rollback,
  options: BringUpOptions = {},
): Promise<ProvenDisk> {
  const found = await operation.step('find', (signal) => findDisk(unit, signal))
  const current = found && (await operation.step('verify', (signal) => keepOrRemove(unit, found, signal)))
  const known = current ?? (await scanFor(unit, operation, rollback, options))
  return { ...known, wwn: prove(known.identity, expected, known.disk), fresh: current === undefined }
}

async function scanFor(
  unit: UnitAddress,
  operation: Operation,
  rollback: Rollback,
  { access = hostScan, patience = operation.signal }: BringUpOptions,
): Promise<KnownDisk> {
  let found: KnownDisk | undefined
  rollback.add('scan', async (signal) => {
    try {
      await remove(unit, signal, { only: found?.facts.diskSequence ?? null })
    } catch (error) {
      // Ours has gone, and another volume has come to its place.
      if (failedWith(error, 'ESTALE')) return
      throw error
    }
    await access.forget(unit, signal)
  })
  return operation.step('scan', async (signal) => {
    found = await scan(unit, AbortSignal.any([signal, patience]), access)
    if (found) return found
    throw new BrickError('LUN_NOT_MAPPED', `the target shows no unit at ${unit.hctl} to this host`, {
      details: { hctl: unit.hctl },
    })
  })
}

/** The device, if it still is what the kernel noted; else it has been removed. */
async function keepOrRemove(unit: UnitAddress, disk: Disk, signal: AbortSignal): Promise<KnownDisk | undefined> {
  const [before, live] = await Promise.all([notedIdentity(unit, signal), liveIdentity(disk, signal)])
  // The kernel may have asked before the unit could tell.
  const noted = before.key === null ? await noteAnew(unit, signal) : before
  const outcome = live && compareUnits(noted, live)
  if (live && outcome === 'same') return { disk, identity: live, facts: await deviceFacts(disk.path, signal) }
  // Only what is proven to be another one may go: somebody may have it open.
  if (outcome === 'unknown') throw nameless(disk)
  await discardMapsAbove(disk, (name) => isStale(name, signal), signal)
  if (await isInUse(disk.path, signal)) throw replaced(disk, noted, live)
  await remove(unit, signal, { offline: true })
  return undefined
}

async function noteAnew(unit: UnitAddress, signal: AbortSignal): Promise<ScsiIdentity> {
  await rescan(unit, signal)
  return await notedIdentity(unit, signal)
}

/** Whether the disk of this name is another volume now than the kernel noted, or has gone. One that says nothing may not. */
async function isStale(name: string, signal: AbortSignal): Promise<boolean> {
  const standing = await standingOfDisk(name, signal)
  return standing === 'absent' || standing === 'another'
}

/** Whether the disk of this name says that it is another volume now than the kernel noted. */
export async function isAnother(name: string, signal: AbortSignal): Promise<boolean> {
  return (await standingOfDisk(name, signal)) === 'another'
}

async function standingOfDisk(name: string, signal: AbortSignal): Promise<Standing> {
  const path = scsiPaths(await blockDevices(signal)).find(({ disk }) => disk.name === name)
  return path ? await standingOf(path, signal) : 'absent'
}

/** The volume's name, if the disk says one, and no other than `expected`. @throws BrickError IDENTITY_MISMATCH */
export function prove(identity: ScsiIdentity | null, expected: string | undefined, disk: Disk): string {
  const wwn = identity?.names.udev ?? identity?.key ?? null
  if (identity === null || wwn === null) throw nameless(disk)
  if (expected !== undefined && !matchesWwn(identity, expected)) {
    throw new BrickError('IDENTITY_MISMATCH', `${disk.path} is ${wwn}, not ${expected}`, {
      details: { device: disk.path, expected, found: wwn },
    })
  }
  return wwn
}

/**
 * Makes the kernel see the size that the unit now has, and returns it in bytes.
 *
 * @throws BrickError IDENTITY_MISMATCH when the device is another volume now than the one that was brought up
 */
export async function grow({ unit, disk }: ScsiPath, operation: Operation): Promise<number> {
  await operation.step('identity', async (signal) => {
    const [noted, live] = await Promise.all([notedIdentity(unit, signal), liveIdentity(disk, signal)])
    if (!live || !sameUnit(noted, live)) throw replaced(disk, noted, live)
  })
  await operation.step('rescan', (signal) => rescan(unit, signal))
  const { size } = await operation.step('size', (signal) => deviceFacts(disk.path, signal))
  return size
}

export function nameless({ path }: Disk): BrickError {
  return new BrickError('IDENTITY_MISMATCH', `${path} does not say which volume it is`, { details: { device: path } })
}

function replaced(disk: Disk, noted: ScsiIdentity, live: ScsiIdentity | undefined): BrickError {
  return new BrickError('IDENTITY_MISMATCH', `${disk.path} was ${nameOf(noted)} and is ${nameOf(live)} now`, {
    details: { device: disk.path, noted: noted.key, found: live?.key ?? null },
  })
}

function nameOf(identity: ScsiIdentity | undefined): string {
  return identity?.key ?? 'nothing'
}
