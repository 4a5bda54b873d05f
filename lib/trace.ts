import { channel } from 'node:diagnostics_channel'
import { countStep } from './metrics.ts'

/** What is published on the channel `hostbrick:step:start` when a step of a call begins. */
export interface StepStart {
  /** The call, such as 'iscsi.connectVolume'. */
  readonly call: string
  readonly step: string
  /** When the step began: milliseconds since the call began. */
  readonly start: number
}

/** What is published on the channel `hostbrick:step` when it ends. */
export interface StepMessage extends StepStart {
  readonly milliseconds: number
  /** What it failed with. */
  readonly error?: unknown
}

const starts = channel('hostbrick:step:start')
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
    const begun = performance.now()
    const start: StepStart = { call: this.#call, step, start: begun - this.#start }
    if (starts.hasSubscribers) starts.publish(start)
    let failure: { error: unknown } | undefined
    try {
      return await run()
    } catch (error) {
      failure = { error }
      throw error
    } finally {
      const milliseconds = performance.now() - begun
      this.#timings[step] = round((this.#timings[step] ?? 0) + milliseconds)
      countStep(this.#call, step, milliseconds, failure !== undefined)
      if (steps.hasSubscribers) {
        const message: StepMessage = { ...start, milliseconds, ...failure }
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
