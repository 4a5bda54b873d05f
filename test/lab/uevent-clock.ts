import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Beside this in build/lab: test/lab/uevent-clock.c. */
const program = fileURLToPath(new URL('uevent-clock', import.meta.url))

/** Tells when the kernel announced each disk, on the clock of process.hrtime. */
export class UeventClock {
  readonly #process = spawn(program, [], { stdio: ['ignore', 'pipe', 'inherit'] })
  readonly #lines: AsyncIterator<string> = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()

  static async start(): Promise<UeventClock> {
    const clock = new UeventClock()
    await clock.#lines.next()
    return clock
  }

  /** When the next disk was announced, in nanoseconds. Each announcement is told once. */
  async next(): Promise<bigint> {
    const line = await this.#lines.next()
    if (line.done) throw new Error('the clock has ended')
    return BigInt(line.value.split(' ')[1] ?? '')
  }

  async stop(): Promise<void> {
    const exited = once(this.#process, 'exit')
    this.#process.kill()
    await exited
  }
}
