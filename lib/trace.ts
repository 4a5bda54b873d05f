import { channel } from 'node:diagnostics_channel'

/** What is published on the channel `hostbrick:step` when a step of a call ends. */
export interface StepMessage {
  /** The call, such as 'iscsi.connectVolume'. */
  readonly call: string
  readonly step: string
  /** Since the call began, when the step began. */
  readonly start: number
  readonly milliseconds: number
  readonly error?: unknown
}

const steps = channel('hostbrick:step')

/** Where the time of one call goes, step by step. */
export class Trace {
  readonly #call: string
  readonly #start = performance.now()
  readonly #timings: Record<string, number> = {}

  constructor(call: string) {
    this.#call = call
  }

  async step<T>(step: string, run: () => Promise<T>): Promise<T> {
    const start = performance.now()
    let failure: { error: unknown } | undefined
    try {
      return await run()
    } catch (error) {
      failure = { error }
      throw error
    } finally {
      const milliseconds = performance.now() - start
      this.#timings[step] = round((this.#timings[step] ?? 0) + milliseconds)
      if (steps.hasSubscribers) {
        const message: StepMessage = { call: this.#call, step, start: start - this.#start, milliseconds, ...failure }
        steps.publish(message)
      }
    }
  }

  /** Milliseconds per step so far, and of the call as `total`. */
  get timings(): Record<string, number> {
    return { ...this.#timings, total: round(performance.now() - this.#start) }
  }
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000
}
