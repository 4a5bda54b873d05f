interface Callbacks {
  readonly calls: Set<() => void>
  readonly stop: () => void
}

/** Of each signal that is waited with, what is called when it fires. */
const waiting = new WeakMap<AbortSignal, Callbacks>()

/** An AbortController for a signal that is waited with again and again: `onAbort` needs no listener on it at all. */
export class BusyAbortController {
  readonly #calls = new Set<() => void>()
  readonly #controller = new AbortController()
  readonly signal: AbortSignal = this.#controller.signal

  constructor() {
    waiting.set(this.signal, { calls: this.#calls, stop: () => undefined })
  }

  /** Once: later calls are ignored. */
  abort(reason: unknown): void {
    if (this.signal.aborted) return
    this.#controller.abort(reason)
    for (const call of this.#calls) call()
  }
}

/**
 * Has `call` called when the signal fires, once; the function that is returned takes that back. All who wait with a signal
 * share one listener: a call of hostbrick has dozens of waits, and a listener of an EventTarget costs far more than a set's
 * member (and is taken for a leak from the eleventh on).
 */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  const { calls, stop } = waiting.get(signal) ?? listenTo(signal)
  // A function of its own: the same one may be given twice.
  const once = (): void => {
    call()
  }
  calls.add(once)
  return () => {
    if (calls.delete(once) && calls.size === 0) stop()
  }
}

function listenTo(signal: AbortSignal): Callbacks {
  const calls = new Set<() => void>()
  const abort = (): void => {
    for (const call of calls) call()
  }
  const stop = (): void => {
    waiting.delete(signal)
    signal.removeEventListener('abort', abort)
  }
  const callbacks = { calls, stop }
  waiting.set(signal, callbacks)
  signal.addEventListener('abort', abort, { once: true })
  return callbacks
}

/**
 * A signal that fires with this one, or when its time has passed, and then with a TimeoutError.
 *
 * Its own timer keeps it alive: what AbortSignal.any makes of an AbortSignal.timeout that nobody else holds is forgotten
 * at the next garbage collection (Node 20 and later hold a timeout, and the sources of a signal, weakly).
 */
export function withDeadline(signal: AbortSignal, milliseconds: number): AbortSignal {
  const controller = new BusyAbortController()
  const end = (reason: unknown): void => {
    clearTimeout(timer)
    forget()
    controller.abort(reason)
  }
  const timer = setTimeout(() => {
    end(new DOMException(`not done within ${milliseconds} ms`, 'TimeoutError'))
  }, milliseconds).unref()
  const forget = onAbort(signal, () => {
    end(signal.reason)
  })
  if (signal.aborted) end(signal.reason)
  return controller.signal
}

/** The outcome of `promise`, or the signal's reason as soon as that fires; the promise then goes on unobserved. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const forget = onAbort(signal, () => {
      reject(signal.reason as Error)
    })
    if (signal.aborted) reject(signal.reason as Error)
    promise.then(forget, forget)
    promise.then(resolve, reject)
  })
}
