import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import type { StepMessage, StepStart } from '../index.ts'

/** A step that takes longer is worth a line. */
const patience = 500

/**
 * Tells whoever sits at a terminal what a call is doing: a line for each step that takes over half a second, from
 * when it has taken that long. Steps of several paths go on at the same time; the line of the one that was begun last is
 * completed in place.
 */
export class Progress implements Disposable {
  readonly #terminal: WriteStream
  readonly #waiting = new Map<string, NodeJS.Timeout>()
  /** The step whose line is the last one, and not complete. */
  #open: string | undefined

  constructor(terminal: WriteStream) {
    this.#terminal = terminal
    subscribe('hostbrick:step:start', this.#began)
    subscribe('hostbrick:step', this.#ended)
  }

  [Symbol.dispose](): void {
    unsubscribe('hostbrick:step:start', this.#began)
    unsubscribe('hostbrick:step', this.#ended)
    for (const timer of this.#waiting.values()) clearTimeout(timer)
    this.#leave()
  }

  readonly #began = (message: unknown): void => {
    const { call, step, start } = message as StepStart
    const show = (): void => {
      this.#leave()
      this.#open = keyOf({ call, step, start })
      this.#terminal.write(styleText('dim', `${call}: ${step} …`, { stream: this.#terminal }))
    }
    this.#waiting.set(keyOf({ call, step, start }), setTimeout(show, patience).unref())
  }

  readonly #ended = (message: unknown): void => {
    const { call, step, start, milliseconds, error } = message as StepMessage
    const key = keyOf({ call, step, start })
    clearTimeout(this.#waiting.get(key))
    this.#waiting.delete(key)
    if (milliseconds < patience) return
    if (this.#open === key) this.#terminal.write('\r')
    else this.#leave()
    this.#open = undefined
    const outcome = error === undefined ? '' : ', failed'
    const line = `${call}: ${step} ${(milliseconds / 1000).toFixed(1)} s${outcome}`
    this.#terminal.write(`${styleText('dim', line, { stream: this.#terminal })}\n`)
  }

  /** What is written next begins a line of its own. */
  #leave(): void {
    if (this.#open !== undefined) this.#terminal.write('\n')
    this.#open = undefined
  }
}

/** The same name may be under way several times at once, but not begun twice at the same moment. */
function keyOf({ call, step, start }: StepStart): string {
  return `${call} ${step} ${start}`
}
