import { asSystemError } from './binding.ts'

/** Gets every event; `undefined` means that some were lost and that everything must be looked at again. */
export type Listener<T> = (event: T | undefined) => void

interface Source {
  /** That nothing but events with one of these texts is wanted. */
  readonly only?: (texts: readonly string[]) => void
  readonly close: () => void
}

type Open<Raw> = (receive: (events: Raw[], lost: boolean) => void) => Source

interface Opened<T> {
  /** And the texts that the events for them have. */
  readonly listeners: Map<Listener<T>, readonly string[]>
  readonly source: Source
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

  /**
   * Listens from now on, until disposed, for events that contain one of `texts`, and perhaps hears of others. Where the
   * source knows no texts it hears of all.
   *
   * @throws SystemError when the socket cannot be opened
   */
  listen(listener: Listener<T>, texts: readonly string[] = ['']): Disposable {
    const opened = (this.#opened ??= this.#start())
    opened.listeners.set(listener, texts)
    narrow(opened)
    return {
      [Symbol.dispose]: () => {
        opened.listeners.delete(listener)
        if (this.#opened !== opened) return
        if (opened.listeners.size > 0) {
          narrow(opened)
          return
        }
        this.#opened = undefined
        opened.source.close()
      },
    }
  }

  #start(): Opened<T> {
    const listeners = new Map<Listener<T>, readonly string[]>()
    try {
      const source = this.#open((raw, lost) => {
        const events: (T | undefined)[] = raw.map((text) => this.#read(text))
        // The kernel reports a loss before the messages that are still to be read.
        if (lost) events.unshift(undefined)
        for (const event of events) {
          for (const listener of listeners.keys()) listener(event)
        }
      })
      return { listeners, source }
    } catch (error) {
      throw asSystemError(error)
    }
  }
}

function narrow<T>({ listeners, source }: Opened<T>): void {
  source.only?.([...new Set([...listeners.values()].flat())])
}
