import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { until } from './wait.ts'

/** Somebody who writes to a device all the time, each block through to the target. */
export class Traffic {
  /** How many blocks have been written. */
  written = 0
  #stopped = false
  readonly #ended: Promise<void>

  constructor(path: string) {
    this.#ended = this.#run(path)
    this.#ended.catch(() => undefined) // stop() tells
  }

  /** Returns when another block has been written that was begun from now on. */
  async flows(): Promise<void> {
    const enough = this.written + 2
    await until('what is written arrives', () => this.written >= enough, 30_000)
  }

  /** Fails when anything that was written did. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#ended
  }

  async #run(path: string): Promise<void> {
    const device = await open(path, constants.O_WRONLY | constants.O_DSYNC)
    try {
      for (; !this.#stopped; this.written++) {
        await device.write(Buffer.alloc(4096, this.written), 0, 4096, (this.written % 256) * 4096)
      }
    } finally {
      await device.close()
    }
  }
}
