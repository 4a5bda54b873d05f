import { BusyAbortController } from '../abort.ts'
import { BrickError } from '../errors.ts'
import { asBrickError } from '../operation.ts'
import type { HostChange } from './change.ts'
import { difference } from './difference.ts'
import { allParts, Occasions } from './occasions.ts'
import { Host } from './picture.ts'

export interface WatchOptions {
  /** Ends the watch: what waits for the next change fails with ABORTED. */
  signal?: AbortSignal | undefined
}

/** The changes of this host's storage, as they are told. */
export interface HostWatch extends AsyncIterableIterator<HostChange> {
  /**
   * Resolves when the watch has seen everything once. What changes from then on is told, so that together with an
   * inventory that is asked for then nothing is missing. Fails as `next()` does, and with ABORTED when the watch was ended
   * before.
   */
  readonly begun: Promise<void>
}

/**
 * Tells what changes in this host's storage from now on: block devices, iSCSI sessions, NVMe controllers, and the paths of
 * multipath maps.
 *
 *     for await (const change of watch({ signal })) {
 *       if (change.kind === 'device' && change.change === 'changed') console.log(change.device.path, change.fields)
 *     }
 *
 * The kernel's events say when to look, and what is told is the difference between two looks: nothing twice, and nothing
 * lost, also when events are. Who does not ask for a while is told the sum of what has happened meanwhile. What comes and
 * goes between two looks is not told, and neither is what the kernel does not announce, until something else makes
 * hostbrick look at the same device; that a session has been logged in again, or a controller been lost, may be told a second late.
 *
 * The watch keeps the process alive, and ends with the loop or the signal. It begins with the call: what comes from then on
 * is told. What was there before is first looked at, and how it changes is told from `begun` on.
 *
 * @throws BrickError ABORTED as node:events' `on` does: at once if the signal has fired, from `next()` if it fires later;
 * PERMISSION_DENIED without CAP_NET_ADMIN; SYSTEM
 */
export function watch({ signal }: WatchOptions = {}): HostWatch {
  if (signal?.aborted) throw aborted(signal)
  try {
    return new Watching(new Occasions(allParts), signal)
  } catch (error) {
    throw asBrickError(error, 'watch')
  }
}

/** The iterator. A generator would subscribe only when it is first asked, and could not be ended while it waits. */
class Watching implements HostWatch {
  readonly begun: Promise<void>
  readonly #occasions: Occasions
  readonly #signal: AbortSignal | undefined
  readonly #stop = new BusyAbortController()
  readonly #changes: AsyncGenerator<HostChange, undefined, undefined>

  constructor(occasions: Occasions, signal: AbortSignal | undefined) {
    this.#occasions = occasions
    this.#signal = signal
    signal?.addEventListener('abort', this.#abort, { once: true })
    const host = new Host()
    this.begun = this.#begin(host)
    // It fails whoever asks.
    this.begun.catch(() => undefined)
    this.#changes = this.#run(host)
  }

  next(): Promise<IteratorResult<HostChange, undefined>> {
    return this.#changes.next()
  }

  return(): Promise<IteratorResult<HostChange, undefined>> {
    this.#close(undefined)
    return this.#changes.return(undefined)
  }

  async throw(error: unknown): Promise<never> {
    await this.return()
    throw error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  readonly #abort = (): void => {
    if (this.#signal) this.#close(aborted(this.#signal))
  }

  /** With a reason, whoever waits fails with it; without, the iteration is over. */
  #close(reason: BrickError | undefined): void {
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#occasions[Symbol.dispose]()
    this.#stop.abort(reason ?? over)
  }

  async #begin(host: Host): Promise<void> {
    const { signal } = this.#stop
    try {
      await host.look({ devices: { all: true, names: [] }, parts: new Set(allParts) }, signal)
    } catch (error) {
      if (signal.reason === over) throw new BrickError('ABORTED', 'ended before it had begun', { step: 'watch' })
      throw asBrickError(error, 'watch')
    }
  }

  async *#run(host: Host): AsyncGenerator<HostChange, undefined, undefined> {
    const { signal } = this.#stop
    try {
      await this.begun
      host.forget(this.#occasions.takeArrivals())
      for (;;) {
        for (const part of host.unannounced) this.#occasions.lookAgain(part)
        await this.#occasions.next(signal)
        const errors = this.#occasions.takeErrors()
        const { before, after } = await host.look(this.#occasions.take(), signal)
        for (const change of difference(before, after, errors)) yield change
      }
    } catch (error) {
      if (signal.reason === over) return undefined
      throw asBrickError(error, 'watch')
    } finally {
      this.#close(undefined)
    }
  }
}

const over = new Error('the iteration is over')

function aborted(signal: AbortSignal): BrickError {
  return new BrickError('ABORTED', 'aborted by the caller', { step: 'watch', cause: signal.reason })
}
