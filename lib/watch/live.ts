import { BusyAbortController, orAborted } from '../abort.ts'
import { TrackedDevices } from '../inventory/tracked.ts'
import { asBrickError, Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { Occasions } from './occasions.ts'

/**
 * The block devices of this host, kept true by the kernel's events. A lookup asks the kernel nothing. What this process
 * has not heard of yet is not in it; `settled()` waits until it is true of all that has been heard of.
 *
 * It keeps the process alive until it is disposed.
 */
export class LiveInventory extends TrackedDevices implements Disposable {
  readonly #occasions: Occasions
  readonly #stop = new BusyAbortController()
  #look: Promise<unknown>

  /** @internal `liveInventory` makes one. */
  constructor(occasions: Occasions) {
    super()
    this.#occasions = occasions
    occasions.takeArrivals()
    this.#look = this.look({ all: true, names: [] })
    this.#follow().catch(() => undefined)
  }

  /**
   * Waits until all events that this process has heard of have been looked into.
   *
   * @throws BrickError as `inventory` does, if a look has failed: it is kept true no longer
   */
  async settled(): Promise<void> {
    try {
      do await this.#look
      while (this.#occasions.isDue && !this.#stop.signal.aborted)
    } catch (error) {
      throw asBrickError(error, 'inventory')
    }
  }

  [Symbol.dispose](): void {
    this.#occasions[Symbol.dispose]()
    this.#stop.abort(new Error('disposed'))
  }

  async #follow(): Promise<void> {
    for (;;) {
      await this.#look
      await this.#occasions.next(this.#stop.signal)
      this.#look = this.#lookAtDue()
    }
  }

  async #lookAtDue(): Promise<void> {
    const { devices, look } = this.#occasions.take()
    if (!this.lookAtOnce(devices, look)) await this.look(devices, look)
  }
}

/**
 * An inventory that stays true, for agents that look up devices often.
 *
 *     using live = await liveInventory()
 *     const paths = live.byWwid.get('36001405…') ?? []
 *
 * @throws BrickError as `inventory` does; PERMISSION_DENIED when this process may not listen to the kernel
 */
export async function liveInventory(options?: CallOptions): Promise<LiveInventory> {
  using operation = new Operation('liveInventory', options)
  return await operation.step('walk', async (signal) => {
    const live = new LiveInventory(new Occasions([]))
    try {
      await orAborted(live.settled(), signal)
      return live
    } catch (error) {
      live[Symbol.dispose]()
      throw error
    }
  })
}
