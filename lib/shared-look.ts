/**
 * A look at the host that those who ask at the same time share. Who comes while one is under way gets the one after it,
 * which begins later than was asked.
 */
export class SharedLook<T> {
  readonly #look: () => Promise<T>
  #next: Promise<T> | undefined
  #current: Promise<unknown> = Promise.resolve()

  constructor(look: () => Promise<T>) {
    this.#look = look
  }

  take(): Promise<T> {
    const begin = (): Promise<T> => this.#begin()
    return (this.#next ??= this.#current.then(begin, begin))
  }

  #begin(): Promise<T> {
    this.#next = undefined
    const look = this.#look()
    this.#current = look
    return look
  }
}
