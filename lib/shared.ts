/**
 * A look at the host that many want at the same time. Callers that come while one runs share the one after it, which
 * begins later than they asked: so none is told what was true before.
 */
export class SharedLook<T> {
  readonly #look: () => Promise<T>
  /** The look that others who ask meanwhile are to get as well: it has not begun yet. */
  #next: Promise<T> | undefined
  #current: Promise<unknown> = Promise.resolve()

  constructor(look: () => Promise<T>) {
    this.#look = look
  }

  take(): Promise<T> {
    return (this.#next ??= this.#current.then(this.#begin, this.#begin))
  }

  readonly #begin = (): Promise<T> => {
    this.#next = undefined
    const look = this.#look()
    this.#current = look
    return look
  }
}
