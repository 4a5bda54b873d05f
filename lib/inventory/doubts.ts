/** So many devices in doubt are as good as all, and cost less to remember. */
const many = 1000

/** Devices that may not be as they were last seen: some by their names, or any. */
export interface InDoubt {
  readonly all: boolean
  readonly names: readonly string[]
}

/** Collects which devices are in doubt. */
export class Doubts {
  readonly #names = new Set<string>()
  #all = false

  add(name: string): void {
    if (this.#all) return
    this.#names.add(name)
    if (this.#names.size > many) this.addAll()
  }

  addAll(): void {
    this.#all = true
    this.#names.clear()
  }

  /** Adds what is in doubt there, which stays there. */
  join(others: Doubts): void {
    if (others.#all) this.addAll()
    else for (const name of others.#names) this.add(name)
  }

  get isEmpty(): boolean {
    return !this.#all && this.#names.size === 0
  }

  /** What is in doubt. From now on nothing is. */
  take(): InDoubt {
    const taken = { all: this.#all, names: [...this.#names] }
    this.#all = false
    this.#names.clear()
    return taken
  }
}
