import { asSystemError } from './binding.ts'

/** Gets every event; `undefined` means that some were lost and that everything must be looked at again. */
export type Listener<T> = (event: T | undefined) => void

type Open<Raw> = (receive: (events: Raw[], lost: boolean) => void) => () => void

interface Opened<T> {
  readonly listeners: Set<Listener<T>>
  readonly close: () => void
}

/** One socket for all who listen, open while somebody does. */
export class Monitor<Raw, T> {
  readonly #open: Open<Raw>
  readonly #read: (raw: Raw) => T
  #opened: Opened<T> | undefined

  constructor(open: Open<Raw>, read: (raw: Raw) => T) {
    this.#open = open
    this.#read = read
  }

  /** Listens from now on, until disposed. @throws SystemError when the socket cannot be opened */
  listen(listener: Listener<T>): Disposable {
    const opened = (this.#opened ??= this.#start())
    opened.listeners.add(listener)
    return {
      [Symbol.dispose]: () => {
        opened.listeners.delete(listener)
        if (opened.listeners.size > 0 || this.#opened !== opened) return
        this.#opened = undefined
        opened.close()
      },
    }
  }

  #start(): Opened<T> {
    const listeners = new Set<Listener<T>>()
    try {
      const close = this.#open((raw, lost) => {
        const events: (T | undefined)[] = raw.map((text) => this.#read(text))
        // The kernel reports a loss before the messages that are still to be read.
        if (lost) events.unshift(undefined)
        for (const event of events) {
          for (const listener of listeners) listener(event)
        }
      })
      return { listeners, close }
    } catch (error) {
      throw asSystemError(error)
    }
  }
}
