import { deviceFacts, flush, heldExclusively } from '../block/disk.ts'
import { BrickError } from '../errors.ts'
import { asBrickError } from '../operation.ts'
import type { Operation } from '../operation.ts'
import type { Rollback } from '../rollback.ts'
import { matchesWwn, sameUnit } from './identity.ts'
import type { ScsiIdentity } from './identity.ts'
import { diskSequence, findDisk, liveIdentity, notedIdentity, remove, rescan, scan } from './unit.ts'
import type { Disk, KnownDisk, UnitAddress } from './unit.ts'

/** A disk that is proven to be the volume. */
export interface ProvenDisk extends KnownDisk {
  /** The volume's name, as in /dev/disk/by-id/scsi-…. */
  readonly wwn: string
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
): Promise<ProvenDisk> {
  const found = await operation.step('find', (signal) => findDisk(unit, signal))
  const current = found && (await operation.step('verify', (signal) => keepOrRemove(unit, found, signal)))
  const known = current ?? (await scanFor(unit, operation, rollback))
  return { ...known, wwn: prove(known.identity, expected, known.disk) }
}

async function scanFor(unit: UnitAddress, operation: Operation, rollback: Rollback): Promise<KnownDisk> {
  rollback.add('scan', (signal) => remove(unit, signal))
  return operation.step('scan', async (signal) => {
    const found = await scan(unit, signal)
    if (found) return found
    throw new BrickError('LUN_NOT_MAPPED', `the target shows no unit at ${unit.hctl} to this host`, {
      details: { hctl: unit.hctl },
    })
  })
}

/** The device, if it still is what the kernel noted; else it has been removed. */
async function keepOrRemove(unit: UnitAddress, disk: Disk, signal: AbortSignal): Promise<KnownDisk | undefined> {
  const [noted, live] = await Promise.all([notedIdentity(unit, signal), liveIdentity(disk, signal)])
  if (live && sameUnit(noted, live)) return { disk, identity: live, facts: await deviceFacts(disk.path, signal) }
  if (await heldExclusively(disk.path, signal)) throw replaced(disk, noted, live)
  await remove(unit, signal, { offline: true })
  return undefined
}

function prove(identity: ScsiIdentity, expected: string | undefined, disk: Disk): string {
  const wwn = identity.names.udev ?? identity.key
  if (wwn === null) {
    throw new BrickError('IDENTITY_MISMATCH', `${disk.path} does not say which volume it is`, {
      details: { device: disk.path },
    })
  }
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
export async function grow(
  unit: UnitAddress,
  disk: Disk,
  expected: string | undefined,
  operation: Operation,
): Promise<number> {
  await operation.step('identity', async (signal) => {
    const [noted, live] = await Promise.all([notedIdentity(unit, signal), liveIdentity(disk, signal)])
    prove(noted, expected, disk)
    if (!live || !sameUnit(noted, live)) throw replaced(disk, noted, live)
  })
  await operation.step('rescan', (signal) => rescan(unit, signal))
  const { size } = await operation.step('size', (signal) => deviceFacts(disk.path, signal))
  return size
}

function replaced(disk: Disk, noted: ScsiIdentity, live: ScsiIdentity | undefined): BrickError {
  return new BrickError('IDENTITY_MISMATCH', `${disk.path} was ${named(noted)} and is ${named(live)} now`, {
    details: { device: disk.path, noted: noted.key, found: live?.key ?? null },
  })
}

/**
 * Removes a logical unit's disk from this host, with everything written to it safe on the device.
 *
 * With `force` it is removed even if it is in use or cannot be flushed; returns what would have been the errors.
 *
 * @throws BrickError IDENTITY_MISMATCH when the disk is not `expected`: it was left alone; DEVICE_IN_USE, FLUSH_FAILED
 */
export async function takeDown(
  unit: UnitAddress,
  disk: Disk,
  expected: string | undefined,
  force: boolean,
  operation: Operation,
): Promise<BrickError[]> {
  const failures: BrickError[] = []
  const attempt = async <T>(step: string, run: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> => {
    try {
      // Half of the time that is left, so that a device which does not answer can still be removed by force.
      return await operation.step(step, (signal) => run(force ? operation.share(0.5) : signal))
    } catch (error) {
      if (!force || operation.signal.aborted) throw error
      failures.push(asBrickError(error, step))
      return undefined
    }
  }

  const [noted, sequence] = await operation.step('identity', (signal) =>
    Promise.all([notedIdentity(unit, signal), diskSequence(unit, disk, signal)]),
  )
  if (expected !== undefined) prove(noted, expected, disk)
  await attempt('use', (signal) => refuseInUse(disk, signal))
  const flushed = await attempt('flush', (signal) => flushOwn(disk, noted, signal))
  await operation.step('delete', async (signal) => {
    await refuseAnother(unit, disk, sequence, signal)
    await remove(unit, signal, { offline: flushed !== true })
  })
  return failures
}

async function refuseInUse(disk: Disk, signal: AbortSignal): Promise<void> {
  if (!(await heldExclusively(disk.path, signal))) return
  throw new BrickError('DEVICE_IN_USE', `${disk.path} is mounted, part of another device, or open exclusively`, {
    details: { device: disk.path },
  })
}

/** Somebody else may have removed the disk meanwhile, and brought another one to its place. */
async function refuseAnother(
  unit: UnitAddress,
  disk: Disk,
  before: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const now = await diskSequence(unit, disk, signal)
  if (now === undefined || now === before) return
  throw new BrickError('IDENTITY_MISMATCH', `${disk.path} is another disk now than the one that was to be removed`, {
    details: { device: disk.path },
  })
}

/** Flushes the disk if it still is the same volume; false when it is not, so that nothing must be written to it. */
async function flushOwn(disk: Disk, noted: ScsiIdentity, signal: AbortSignal): Promise<boolean> {
  const live = await liveIdentity(disk, signal)
  if (!live || !sameUnit(noted, live)) return false
  await flush(disk.path, signal)
  return true
}

function named(identity: ScsiIdentity | undefined): string {
  return identity?.key ?? 'nothing'
}
