import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { DeviceInfo, ErrorCode } from 'hostbrick'

const PROGRAM = fileURLToPath(new URL('./attach.js', import.meta.url))

export interface Request {
  call: 'connect' | 'disconnect'
  protocol: string
  multipath: boolean
  properties: Record<string, unknown>
}

export type Answer = { info?: DeviceInfo; error?: undefined } | { error: { code: ErrorCode; message: string } }

/** Another process of this host that uses hostbrick: it is there already when it is told what to do. */
export class AnotherProcess {
  readonly #process: ChildProcessWithoutNullStreams = spawn(process.execPath, ['--enable-source-maps', PROGRAM])
  readonly #answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  readonly #exited = once(this.#process, 'exit')

  private constructor() {
    this.#process.stderr.pipe(process.stderr)
  }

  /** Returns when it is ready. */
  static async start(): Promise<AnotherProcess> {
    const started = new AnotherProcess()
    await started.#answers.next()
    return started
  }

  async ask(request: Request): Promise<Answer> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`)
    const line = await this.#answers.next()
    if (line.done) throw new Error('it ended without an answer')
    return JSON.parse(line.value) as Answer
  }

  async stop(): Promise<void> {
    this.#process.stdin.end()
    await this.#exited
  }
}
