import { BusyAbortController, withDeadline } from './abort.ts'
import { failedWith, SystemError } from './binding.ts'
import { BrickError, invalid } from './errors.ts'
import { Trace } from './trace.ts'

/** What every call of hostbrick takes. */
export interface CallOptions {
  /** Ends the call early: what it had done is undone, then it fails with ABORTED. */
  signal?: AbortSignal | undefined
  /** Milliseconds that the whole call may take, clean-up included. Default 60,000. */
  timeout?: number | undefined
}

const defaultTimeout = 60_000
/** Of a call's time, the part that is kept back for undoing what it did. */
const cleanupShare = 0.25
const cleanupLimit = 10_000

/**
 * One call: its deadline, the caller's signal and its trace.
 *
 * `signal` is what the work waits with: it fires when the caller aborts or when only the time for clean-up is left, and
 * its reason is the BrickError to fail with. Clean-up waits with the signal of `cleanup()`.
 */
export class Operation implements Disposable {
  readonly trace: Trace
  readonly #work = new BusyAbortController()
  readonly #timeout: number
  readonly #reserve: number
  readonly #timer: NodeJS.Timeout
  readonly #caller: AbortSignal | undefined
  readonly #start = performance.now()

  constructor(name: string, { signal, timeout = defaultTimeout }: CallOptions = {}) {
    if (!Number.isFinite(timeout) || timeout <= 0 || timeout > 2 ** 31 - 1) {
      throw invalid('timeout', 'milliseconds above 0', timeout)
    }
    this.trace = new Trace(name)
    this.#timeout = timeout
    this.#reserve = Math.min(timeout * cleanupShare, cleanupLimit)
    this.#caller = signal
    this.#timer = setTimeout(() => {
      this.#work.abort(timedOut(timeout))
    }, timeout - this.#reserve)
    if (signal?.aborted) this.#abort()
    signal?.addEventListener('abort', this.#abort, { once: true })
  }

  get signal(): AbortSignal {
    return this.#work.signal
  }

  /** Milliseconds until the work's signal fires. */
  get remaining(): number {
    return Math.max(0, this.#timeout - this.#reserve - (performance.now() - this.#start))
  }

  /** Runs one step of the work: timed under its name, and its failure bears that name. */
  async step<T>(name: string, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.trace.step(name, async () => {
      try {
        this.signal.throwIfAborted()
        return await run(this.signal)
      } catch (error) {
        throw asBrickError(error, name)
      }
    })
  }

  /** A signal that fires with the work's, or earlier, when this part of the time that is left has passed. */
  share(part: number): AbortSignal {
    if (part === 1) return this.signal
    return withDeadline(this.signal, Math.ceil(this.remaining * part))
  }

  /** Runs one step of undoing, with what is left of the call's time; never less than a tenth of its reserve. */
  async cleanup(name: string, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const left = this.#timeout - (performance.now() - this.#start)
    const time = Math.max(Math.min(left, this.#reserve), this.#reserve / 10)
    const deadline = new AbortController()
    const timer = setTimeout(() => {
      deadline.abort(timedOut(this.#timeout))
    }, time)
    try {
      await this.trace.step(name, () => run(deadline.signal))
    } finally {
      clearTimeout(timer)
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#caller?.removeEventListener('abort', this.#abort)
  }

  readonly #abort = (): void => {
    this.#work.abort(new BrickError('ABORTED', 'aborted by the caller', { cause: this.#caller?.reason }))
  }
}

function timedOut(timeout: number): BrickError {
  return new BrickError('TIMEOUT', `not done within ${timeout} ms`, { details: { timeout } })
}

/** Any failure as a BrickError that bears the step's name. */
export function asBrickError(error: unknown, step: string): BrickError {
  if (error instanceof BrickError) {
    if (error.step !== undefined) return error
    const { code, message, retryable, details } = error
    return new BrickError(code, message, { step, retryable, details, cause: error.cause ?? error })
  }
  if (error instanceof SystemError) {
    const { code: errno, syscall, path, detail } = error
    const code = failedWith(error, 'EACCES', 'EPERM') ? 'PERMISSION_DENIED' : 'SYSTEM'
    return new BrickError(code, error.message, { step, cause: error, details: { errno, syscall, path, detail } })
  }
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new BrickError('TIMEOUT', `${step}: not done in its share of the time`, { step })
  }
  // A defect of ours, not of the host: it keeps its own type and stack.
  throw error
}
