import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'

/**
 * A call of which a part may go on after it has returned, within the call's time. Disposing it gives back what it holds
 * as soon as that part has ended too.
 */
export class OutlastingCall implements Disposable {
  readonly operation: Operation
  /** Ends what goes on. */
  readonly stop = new AbortController()
  readonly #held: Disposable[]
  #ended = Promise.resolve()

  constructor(name: string, options: CallOptions) {
    const { signal } = this.stop
    this.operation = new Operation(name, {
      ...options,
      signal: options.signal ? AbortSignal.any([options.signal, signal]) : signal,
    })
    this.#held = [this.operation]
  }

  hold(held: Disposable): void {
    this.#held.push(held)
  }

  /** `ended` never fails. */
  lastUntil(ended: Promise<void>): void {
    this.#ended = ended
  }

  [Symbol.dispose](): void {
    void this.#ended.then(() => {
      for (const each of this.#held.reverse()) each[Symbol.dispose]()
    })
  }
}
