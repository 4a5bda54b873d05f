import { onAbort, withDeadline } from '../abort.ts'
import { BrickError } from '../errors.ts'
import type { KnownDisk } from '../scsi/unit.ts'
import { whenHandled } from '../udev/handled.ts'
import { Watch } from '../wait.ts'
import { askMultipathd, isMultipathdRunning } from './daemon.ts'
import { liveMapAbove } from './map.ts'
import type { LiveMap } from './map.ts'

/** Milliseconds that multipathd has for a map when it knows all that it needs. */
const patienceForMap = 10_000
/** For more paths it waits until udev has dealt with the map (uev_wait_timeout in multipath.conf). */
const patienceForPaths = 30_000

/** A disk of the volume, and whether it has come since the assembly began. */
export interface OfferedDisk extends KnownDisk {
  readonly fresh: boolean
}

/** Whether a multipathd is there to make maps. @throws BrickError MULTIPATH_FAILED when not */
export async function requireMultipathd(signal: AbortSignal): Promise<void> {
  if (await isMultipathdRunning(signal)) return
  throw new BrickError('MULTIPATH_FAILED', 'multipathd is not running')
}

/**
 * The map that multipathd is to make of the disks of one volume.
 *
 * multipathd hears of a disk from udev, whose notes on it it needs (pathinfo in libmultipath/discovery.c). It is told
 * of each disk as soon as those are there, which saves it the way by udev's events, and its answer says what it thinks
 * of the disk.
 */
export class MapAssembly implements Disposable {
  readonly #signal: AbortSignal
  readonly #stop = new AbortController()
  readonly #begin = Number(process.hrtime.bigint() / 1000n)
  readonly #disks: KnownDisk[] = []
  readonly #answers: Promise<string>[] = []

  constructor(signal: AbortSignal) {
    this.#signal = AbortSignal.any([signal, this.#stop.signal])
  }

  /** Gives multipathd one more disk of the volume. */
  offer(known: OfferedDisk): void {
    this.#disks.push(known)
    this.#answers.push(this.#tell(known))
  }

  /**
   * Returns the map as soon as it serves one of the disks.
   *
   * @param complete resolves when no more disks will be offered
   * @throws BrickError MULTIPATH_FAILED when multipathd makes none
   */
  async map(complete: Promise<void>): Promise<LiveMap> {
    const refusal = complete.then(() => this.#refusal())
    return await Promise.race([this.#appears((maps) => maps.find((map) => map !== undefined)), refusal])
  }

  /** Waits until the map has all the disks. @throws BrickError MULTIPATH_FAILED naming those that it has not */
  async whole(map: LiveMap): Promise<void> {
    const isIn = (other: LiveMap | undefined): boolean => other?.device === map.device
    const all = this.#appears((maps) => (maps.every(isIn) ? true : undefined))
    const refusal = this.#impatient('multipathd does not add every path to the map', patienceForPaths)
    await Promise.race([all, refusal])
  }

  /** Ends whatever is still waited for. */
  [Symbol.dispose](): void {
    this.#stop.abort()
  }

  /** Looks at the maps of the disks until `satisfied` returns something. */
  async #appears<T>(satisfied: (maps: (LiveMap | undefined)[]) => T | undefined): Promise<T> {
    using watch = new Watch('kernel', ['/virtual/block/dm-'])
    return await watch.until(async () => {
      const maps = this.#disks.map(({ disk, facts }) => liveMapAbove(disk, facts.size, this.#signal))
      return satisfied(await Promise.all(maps))
    }, this.#signal)
  }

  /** What multipathd says to the disk. Never fails: the map is what counts. */
  async #tell({ disk, facts, fresh }: OfferedDisk): Promise<string> {
    // With notes on another disk, which had the number before, multipathd would take this one, and drop it again when it
    // hears that the other one has gone.
    const since = fresh ? this.#begin : undefined
    try {
      await whenHandled({ path: disk.path, facts, since }, this.#signal)
    } catch (error) {
      return String(error)
    }
    return ask(`add path ${disk.name}`, this.#signal)
  }

  /** Fails when multipathd has been told of everything and makes no map of it. */
  async #refusal(): Promise<never> {
    const answers = await Promise.all(this.#answers)
    if (answers.every((answer) => answer === 'blacklisted')) {
      throw new BrickError('MULTIPATH_FAILED', 'multipathd does not handle these disks: they are blacklisted')
    }
    // Its configuration may want two paths before it makes a map by itself. Into a map that it has made it takes those now
    // that it would have kept waiting until udev has dealt with the map (ev_add_map in multipathd/main.c).
    const [name] = this.#disks.map(({ identity }) => identity.names.udev ?? identity.names.multipath)
    if (name !== undefined && name !== null) await ask(`add map ${name}`, this.#signal)
    return await this.#impatient('multipathd makes no map of these disks', patienceForMap)
  }

  /** Fails with this message when multipathd has been told of every disk and its time has passed. */
  async #impatient(message: string, patience: number): Promise<never> {
    const answers = await Promise.all(this.#answers)
    const ended = withDeadline(this.#signal, patience)
    await new Promise((resolve) => {
      if (ended.aborted) resolve(undefined)
      else
        onAbort(ended, () => {
          resolve(undefined)
        })
    })
    this.#signal.throwIfAborted()
    const disks = this.#disks.map(({ disk }) => disk.path)
    throw new BrickError('MULTIPATH_FAILED', message, { details: { disks, answers } })
  }
}

async function ask(command: string, signal: AbortSignal): Promise<string> {
  try {
    return (await askMultipathd(command, signal)) ?? 'multipathd is not running'
  } catch (error) {
    return String(error)
  }
}
