import { onAbort } from '../abort.ts'
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
    const either = new AbortController()
    this.operation = new Operation(name, { ...options, signal: either.signal })
    const signals = [this.stop.signal, ...(options.signal ? [options.signal] : [])]
    this.#held = [this.operation, ...signals.map((signal) => passedOn(signal, either))]
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

function passedOn(signal: AbortSignal, controller: AbortController): Disposable {
  const abort = (): void => {
    controller.abort(signal.reason)
  }
  const forget = onAbort(signal, abort)
  if (signal.aborted) abort()
  return { [Symbol.dispose]: forget }
}
