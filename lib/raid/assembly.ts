import { requireBlank } from '../block/content.ts'
import { deviceFacts, refuseInUse } from '../block/disk.ts'
import { assembleMirror, createMirror, stopArray, takeBackLeg } from '../cli/mdadm.ts'
import { BrickError } from '../errors.ts'
import { resolvePath } from '../files.ts'
import { asBrickError } from '../operation.ts'
import type { Operation } from '../operation.ts'
import type { Replication } from '../properties/nvmeof.ts'
import { together } from '../together.ts'
import { whenHandled } from '../udev/handled.ts'
import { Watch } from '../wait.ts'
import { arrayNamed, arrayPath, arraysOf, beginRecovery, missingIn } from './array.ts'
import type { RaidArray } from './array.ts'
import { readSuperblock } from './superblock.ts'
import type { Superblock } from './superblock.ts'

/** A leg that is attached, and what it says of its mirror. */
interface Leg {
  readonly path: string
  /** Undefined when it is no leg of any, or cannot be asked. */
  readonly superblock: Superblock | undefined
  readonly error?: BrickError
}

export interface AssembledMirror {
  readonly array: RaidArray
  /** The array's UUID. */
  readonly uuid: string
  /** Legs that are there and are not in the mirror, each with the reason. */
  readonly failures: readonly { readonly leg: string; readonly error: BrickError }[]
}

/**
 * The mirror of these legs: the one that runs, the one that is written on them, or, if all legs are there and all of them
 * are blank, a new one. Undefined when it is to have one leg only, and that leg is no part of a mirror.
 *
 * Nothing is written to a leg that is not blank, or that is part of another array; an array with other devices in it is
 * left as it is.
 *
 * @param paths the device nodes of the legs that are attached, at least one
 * @throws BrickError IDENTITY_MISMATCH, DEVICE_NOT_FOUND, DEVICE_IN_USE, TOOL_FAILED, NOT_SUPPORTED
 */
export async function assemble(
  { alias, replicas }: Replication,
  paths: readonly string[],
  operation: Operation,
): Promise<AssembledMirror | undefined> {
  // udev assembles what it knows to be legs of an array as soon as they appear: whoever comes meanwhile finds them busy.
  await operation.step('udev', (signal) => together(paths.map((path) => handled(path, signal))))
  const examineAll = (): Promise<Leg[]> =>
    operation.step('examine', (signal) => together(paths.map((path) => examine(path, signal))))
  let legs = await examineAll()
  const isNew = !legs.some(isMember)
  if (isNew) {
    const [unreadable] = legs.flatMap(({ error }) => error ?? [])
    if (unreadable) throw unreadable
    if (replicas === 1) return undefined
    await operation.step('create', (signal) => create(alias, replicas, paths, signal))
    legs = await examineAll()
  }
  const members = legs.filter(isMember)
  const uuid = agreed(alias, members)
  if (!isNew) await operation.step('assemble', (signal) => start(alias, members, signal))
  const array = await operation.step('array', (signal) => whenActive(alias, paths, signal))
  const outside = legs.filter(({ path }) => !array.members.includes(nameOf(path)))
  const failures = await Promise.all(outside.map((leg) => takeBack(array, leg, operation)))
  if ((await operation.step('array', (signal) => missingIn(array, signal))) > 0) {
    await operation.step('array', (signal) => beginRecovery(array, signal))
  }
  return { array, uuid, failures: failures.filter((failure) => failure !== undefined) }
}

/** The kernel's name of a disk. */
export function nameOf(path: string): string {
  return path.slice('/dev/'.length)
}

async function handled(path: string, signal: AbortSignal): Promise<void> {
  await whenHandled({ path, facts: await deviceFacts(path, signal) }, signal)
}

async function examine(path: string, signal: AbortSignal): Promise<Leg> {
  try {
    return { path, superblock: await readSuperblock(path, signal) }
  } catch (error) {
    signal.throwIfAborted()
    return { path, superblock: undefined, error: asBrickError(error, 'examine') }
  }
}

function isMember(leg: Leg): leg is Leg & { superblock: Superblock } {
  return leg.superblock !== undefined
}

/**
 * The UUID of the one mirror that all of these are legs of, under its name. Of two legs each of which has gone on without
 * the other, neither is right: who takes one of them loses what was written to the other.
 */
function agreed(alias: string, members: readonly (Leg & { superblock: Superblock })[]): string {
  const [first] = members
  if (first === undefined) throw new RangeError('no leg')
  const { array } = first.superblock
  const another = members.find(
    ({ superblock }) => superblock.array !== array || superblock.name !== alias || superblock.level !== 1,
  )
  if (another) {
    const { name, level, array: found } = another.superblock
    throw refused(`${another.path} is part of the array ${name}, not a leg of the mirror ${alias}`, {
      device: another.path,
      found: { array: found, name, level },
      expected: { array, name: alias, level: 1 },
    })
  }
  for (const one of members) {
    const knows = (other: Superblock): boolean => one.superblock.active.includes(other.device)
    const apart = members.find(
      (each) => each !== one && !knows(each.superblock) && !each.superblock.active.includes(one.superblock.device),
    )
    if (apart) {
      throw refused(`${one.path} and ${apart.path} have each been used without the other`, {
        devices: [one.path, apart.path],
        array,
      })
    }
  }
  return array
}

function refused(message: string, details: Readonly<Record<string, unknown>>): BrickError {
  return new BrickError('IDENTITY_MISMATCH', message, { details })
}

async function create(alias: string, replicas: number, paths: readonly string[], signal: AbortSignal): Promise<void> {
  if (paths.length < replicas) {
    throw new BrickError('DEVICE_NOT_FOUND', `a mirror of ${replicas} legs cannot be made of ${paths.join(', ')}`, {
      details: { alias, replicas, devices: paths },
    })
  }
  await refuseNameTaken(alias, signal)
  for (const path of paths) {
    await refuseInUse(path, signal)
    await requireBlank(path, signal)
  }
  await createMirror({ path: arrayPath(alias), name: alias, legs: paths }, signal)
}

async function start(alias: string, members: readonly Leg[], signal: AbortSignal): Promise<void> {
  const paths = members.map(({ path }) => path)
  for (const array of await arraysOf(paths.map(nameOf), signal)) {
    if (array.active) {
      await handled(array.path, signal)
      if ((await resolvePath(arrayPath(alias), signal)) === array.path) return
      // It has another name, by which somebody may use it.
      await refuseInUse(array.path, signal)
    }
    await stopArray(array.path, signal)
  }
  await refuseNameTaken(alias, signal)
  for (const path of paths) await refuseInUse(path, signal)
  await assembleMirror(arrayPath(alias), paths, signal)
}

async function refuseNameTaken(alias: string, signal: AbortSignal): Promise<void> {
  const other = await arrayNamed(alias, signal)
  if (other === undefined) return
  throw refused(`${arrayPath(alias)} is another array: ${other.path} of ${other.members.join(', ')}`, {
    array: other.path,
    members: other.members,
  })
}

/** The array as soon as it can be used under its name. */
async function whenActive(alias: string, paths: readonly string[], signal: AbortSignal): Promise<RaidArray> {
  using watch = new Watch('udev', ['/virtual/block/md'])
  return await watch.until(async () => {
    const array = await arrayNamed(alias, signal)
    if (!array?.active || !array.members.every((member) => paths.map(nameOf).includes(member))) return undefined
    return (await deviceFacts(array.path, signal)).size > 0 ? array : undefined
  }, signal)
}

/** The reason when it cannot be taken back: the mirror works without it. */
async function takeBack(
  array: RaidArray,
  { path, superblock, error: unreadable }: Leg,
  operation: Operation,
): Promise<{ leg: string; error: BrickError } | undefined> {
  try {
    await operation.step('take back', async (signal) => {
      if (superblock === undefined) throw unreadable ?? refused(`${path} is not a leg of this mirror`, { device: path })
      await takeBackLeg(array.path, path, signal)
    })
    return undefined
  } catch (error) {
    const failure = asBrickError(error, 'take back')
    if (operation.signal.aborted) throw failure
    return { leg: path, error: failure }
  }
}

/** Stops what `ownArrays` finds until it finds none: udev may begin to assemble it again meanwhile. */
export async function stopArrays(alias: string, paths: readonly string[], signal: AbortSignal): Promise<void> {
  using watch = new Watch('kernel', ['/virtual/block/md'])
  await watch.until(async () => {
    const arrays = await ownArrays(alias, paths, signal)
    for (const { path } of arrays) await stopArray(path, signal)
    return arrays.length === 0 ? true : undefined
  }, signal)
}

/** The arrays of these legs alone; when there are none, the array of that name, if it has lost all its legs. */
export async function ownArrays(alias: string, paths: readonly string[], signal: AbortSignal): Promise<RaidArray[]> {
  const arrays = await arraysOf(paths.map(nameOf), signal)
  if (arrays.length > 0) return arrays
  const named = await arrayNamed(alias, signal)
  return named?.members.length === 0 ? [named] : []
}
