import type { BrickError } from '../errors.ts'
import { lock } from '../lock.ts'
import { requireMultipathd } from '../multipath/assembly.ts'
import type { LiveMap } from '../multipath/map.ts'
import { asBrickError, Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import type { DeviceInfo, PathInfo } from '../properties/device-info.ts'
import { orUndone } from '../rollback.ts'
import type { Leftover } from '../rollback.ts'
import type { UnitAddress } from '../scsi/unit.ts'
import { attachMultipath } from './attach.ts'
import type { Ready } from './attach.ts'
import type { ProvenDisk } from './bring-up.ts'
import { OutlastingCall } from './outlasting.ts'
import { isWrongGuess } from './guess.ts'
import { seeToTheRest } from './rejoining.ts'
import { inTurn } from './ways.ts'
import type { FailedWay } from './ways.ts'

/** One way to a volume that is up: a disk at its place, proven to be the volume. */
export interface PathUp<Way> extends ProvenDisk {
  readonly way: Way
  readonly unit: UnitAddress
  /** Takes back what bringing it up has changed. */
  undo(): Promise<Leftover[]>
}

/** A way, and whether it is not known to lead to the volume. */
interface MaybeGuessed {
  readonly guessed?: boolean
}

/** How the SCSI volume of one call is reached: what differs from transport to transport. */
export interface Reach<Way extends MaybeGuessed, Up extends PathUp<Way>> {
  /** What the call's operations are named after, such as 'iscsi'. */
  readonly name: string
  /** The volume's lock. */
  readonly key: string
  /** The volume's name, if the properties say it. */
  readonly wwn: string | undefined
  /** The ways that the properties name. */
  named(operation: Operation): Promise<readonly Way[]>
  /** All ways that there are, and what kept them from being found. */
  all(named: readonly Way[], operation: Operation): Promise<{ ways: readonly Way[]; failure: BrickError | undefined }>
  /**
   * Brings one way up, giving its portal up when `patience` fires. A failure leaves nothing changed.
   *
   * @param wwn the volume's name, as far as it is known
   */
  bring(way: Way, patience: AbortSignal, operation: Operation, wwn: string | undefined): Promise<Up>
  /** Tries once more the ways that are missing, and returns those that still are; none when the volume has gone. */
  rejoin(missing: readonly Way[], known: Up, operation: Operation): Promise<readonly Way[]>
  /** Where a way leads, as a device info says it. */
  whereTo(way: Way): Pick<PathInfo, 'portal' | 'initiator'>
  /** The last look at a device before it is handed out: another name for it, and what is amiss. */
  finish?(paths: readonly Up[], map: LiveMap | undefined, operation: Operation): Promise<Finish>
}

export interface Finish {
  /** What to call the device, if it has a better name than its node's. */
  readonly path?: string | undefined
  readonly refusal?: BrickError | undefined
}

export interface MultipathOptions {
  readonly ready: Ready
  /** Whether a volume without a map is a failure. */
  readonly enforce: boolean
}

/** Attaches a volume by the first of its ways that works. */
export async function connectByOne<Way extends MaybeGuessed, Up extends PathUp<Way>>(
  reach: Reach<Way, Up>,
  options: CallOptions,
): Promise<DeviceInfo> {
  using operation = new Operation(`${reach.name}.connectVolume`, options)
  using _volume = await operation.step('lock', (signal) => lock(reach.key, signal))
  return await byFirstPath(reach, await reach.named(operation), { expected: 1 }, operation)
}

/** By the first of these ways that works. A device that cannot be handed out after all is taken back. */
async function byFirstPath<Way extends MaybeGuessed, Up extends PathUp<Way>>(
  reach: Reach<Way, Up>,
  ways: readonly Way[],
  attached: Omit<Attached<Way, Up>, 'paths'>,
  operation: Operation,
): Promise<DeviceInfo> {
  const bring = (way: Way, patience: AbortSignal): Promise<Up> => reach.bring(way, patience, operation, reach.wwn)
  const path = await inTurn(ways, bring, operation)
  return await orUndone(describe(reach, { paths: [path], ...attached }, operation), () => path.undo())
}

/**
 * Attaches a volume by all its ways at once. What is still being tried when the call returns goes on within the call's
 * time, and with the volume's lock; what has failed is tried again later.
 */
export async function connectByAll<Way extends MaybeGuessed, Up extends PathUp<Way>>(
  reach: Reach<Way, Up>,
  { ready, enforce }: MultipathOptions,
  options: CallOptions,
): Promise<DeviceInfo> {
  using call = new OutlastingCall(`${reach.name}.connectVolume`, options)
  const { operation, stop } = call
  const asked = absenceOfMultipathd(enforce, operation)
  asked.catch(() => undefined) // whoever waits for the answer hears of it
  call.hold(await operation.step('lock', (waiting) => lock(reach.key, waiting)))
  const named = await reach.named(operation)
  const absence = await asked
  if (absence) {
    return await byFirstPath(reach, named, { expected: named.length, refusals: [absence] }, operation)
  }
  const { ways: all, failure } = await reach.all(named, operation)
  const bring = guessesLast(all, reach, operation)
  const { ways, map, refusal, undo } = await attachMultipath(all, bring, { ready, enforce }, operation)
  call.lastUntil(ways.settled)
  const refusals = [failure, refusal].filter((error) => error !== undefined)
  const attached = { paths: ways.up, map, expected: all.length, failed: ways.failed, refusals }
  const info = await orUndone(describe(reach, attached, operation), undo)
  void seeToTheRest(ways, stop, {
    key: reach.key,
    name: `${reach.name}.rejoin`,
    retry: (missing, known, again) => reach.rejoin(missing, known, again),
  })
  return info
}

/**
 * Brings ways up, of which one that is only guessed has to lead to the volume that the others lead to: where nothing says
 * which volume it is, it waits for the first of them. Where all are guesses the first one decides.
 */
function guessesLast<Way extends MaybeGuessed, Up extends PathUp<Way>>(
  all: readonly Way[],
  reach: Reach<Way, Up>,
  operation: Operation,
): (way: Way, giveUp: AbortSignal) => Promise<Up> {
  const certain: Promise<Up>[] = []
  return async (way, giveUp) => {
    const bring = (wwn: string | undefined): Promise<Up> =>
      reach.bring(way, AbortSignal.any([giveUp, operation.share(0.5)]), operation, wwn)
    if (reach.wwn !== undefined || all.every(({ guessed }) => guessed)) return await bring(reach.wwn)
    if (way.guessed) return await bring((await firstOf(certain)).wwn)
    const up = bring(undefined)
    certain.push(up)
    return await up
  }
}

async function firstOf<T>(outcomes: readonly Promise<T>[]): Promise<T> {
  try {
    return await Promise.any(outcomes)
  } catch (error) {
    throw (error as AggregateError).errors[0]
  }
}

/** Why there will be no map; undefined when a multipathd runs. @throws BrickError MULTIPATH_FAILED if `enforce` */
async function absenceOfMultipathd(enforce: boolean, operation: Operation): Promise<BrickError | undefined> {
  try {
    await operation.step('multipathd', requireMultipathd)
    return undefined
  } catch (error) {
    const absence = asBrickError(error, 'multipathd')
    if (enforce || absence.code !== 'MULTIPATH_FAILED') throw absence
    return absence
  }
}

/** What an attach has brought about. */
interface Attached<Way, Up> {
  /** At least one. */
  readonly paths: readonly Up[]
  readonly map?: LiveMap | undefined
  /** How many paths there could be. */
  readonly expected: number
  readonly failed?: readonly FailedWay<Way>[]
  /** What else did not go as it should. */
  readonly refusals?: readonly BrickError[]
}

async function describe<Way extends MaybeGuessed, Up extends PathUp<Way>>(
  reach: Reach<Way, Up>,
  { paths, map, expected, failed = [], refusals = [] }: Attached<Way, Up>,
  operation: Operation,
): Promise<DeviceInfo> {
  const [first] = paths
  if (first === undefined) throw new RangeError('no path')
  const missing = failed.filter(({ way, error }) => !isWrongGuess(way, error))
  const ways = expected - (failed.length - missing.length)
  const { path, facts } = map ?? { path: first.disk.path, facts: first.facts }
  const finish = (await reach.finish?.(paths, map, operation)) ?? {}
  const amiss = finish.refusal ? [...refusals, finish.refusal] : refusals
  return {
    type: 'block',
    path: finish.path ?? path,
    scsi_wwn: first.wwn,
    ...(map && { multipath_id: map.wwid }),
    paths: paths.map(({ disk, unit, way }) => ({ path: disk.path, hctl: unit.hctl, ...reach.whereTo(way) })),
    expected_paths: ways,
    degraded: paths.length < ways || amiss.length > 0,
    failures: [
      ...missing.map(({ way, error: { code, message } }) => ({ portal: reach.whereTo(way).portal, code, message })),
      ...amiss.map(({ code, message }) => ({ portal: null, code, message })),
    ],
    identity: { source: 'vpd', value: first.wwn, devno: `${facts.major}:${facts.minor}`, diskseq: facts.diskSequence },
    size: facts.size,
    timings: operation.trace.timings,
  }
}
