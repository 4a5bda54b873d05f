import { asSystemError } from './binding.ts'

/** Gets every event; `undefined` means that some were lost and that everything must be looked at again. */
export type Listener<T> = (event: T | undefined) => void

interface Source {
  /** That nothing but events with one of these texts is wanted. */
  readonly only?: (texts: readonly string[]) => void
  readonly close: () => void
}

type Open<T, S> = (receive: (events: readonly T[], lost: boolean) => void) => S

interface Opened<T, S> {
  /** And the texts that the events for them have. */
  readonly listeners: Map<Listener<T>, readonly string[]>
  readonly source: S
}

/** One socket for all who listen, open while somebody does. */
export class Monitor<T, S extends Source = Source> {
  readonly #open: Open<T, S>
  #opened: Opened<T, S> | undefined

  constructor(open: Open<T, S>) {
    this.#open = open
  }

  /** The socket, while somebody listens. */
  get source(): S | undefined {
    return this.#opened?.source
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

  #start(): Opened<T, S> {
    const listeners = new Map<Listener<T>, readonly string[]>()
    try {
      const source = this.#open((events, lost) => {
        // The kernel reports a loss before the messages that are still to be read.
        for (const event of lost ? [undefined, ...events] : events) {
          for (const listener of listeners.keys()) listener(event)
        }
      })
      return { listeners, source }
    } catch (error) {
      throw asSystemError(error)
    }
  }
}

function narrow<T>({ listeners, source }: Opened<T, Source>): void {
  source.only?.([...new Set([...listeners.values()].flat())])
}
