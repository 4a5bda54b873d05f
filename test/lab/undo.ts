/** What a suite has set up, taken down in reverse; also when it was set up half way, and when a part of it fails. */
export class Undo {
  readonly #steps: (() => void | Promise<void>)[] = []

  add(step: () => void | Promise<void>): void {
    this.#steps.push(step)
  }

  /** Keeps what has a `remove()` until then. */
  keep<T extends { remove(): void }>(built: T): T {
    this.add(() => {
      built.remove()
    })
    return built
  }

  async run(): Promise<void> {
    const failures: unknown[] = []
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
}
