import { setMaxListeners } from 'node:events'

/** Fires with the first of these, and with its reason. */
export function anyOf(...signals: AbortSignal[]): AbortSignal {
  return widelyHeard(AbortSignal.any(signals))
}

/** As many may listen to the signal as there are jobs in a call: that is no leak, which Node takes eleven for. */
export function widelyHeard(signal: AbortSignal): AbortSignal {
  setMaxListeners(0, signal)
  return signal
}

/** The outcome of `promise`, or the signal's reason as soon as that fires; the promise then goes on unobserved. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let abort = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      reject(signal.reason as Error)
    }
  })
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
