import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

// From build/lab, where this runs, to the source, where the program stays.
const PROGRAM = fileURLToPath(new URL('../../test/lab/osbrick.py', import.meta.url))

type Properties = Record<string, unknown>
type Info = Record<string, unknown>

type Request =
  | { op: 'connect'; protocol: string; properties: Properties; multipath: boolean }
  | { op: 'disconnect'; protocol: string; properties: Properties; multipath: boolean; info: Info | null }
  | { op: 'describe'; ip: string; multipath: boolean }

interface Answer {
  seconds: number
  info: Info
}

/**
 * os-brick itself, the baseline to compare with: a Python process that attaches and detaches when told to.
 * Under emulation it takes 10 to 20 s until it has loaded everything and answers the first time.
 */
export class OsBrick {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>
  readonly #exited: Promise<unknown>
  #log = ''

  private constructor() {
    this.#process = spawn('python3', [PROGRAM])
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
    this.#exited = once(this.#process, 'exit')
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text
    })
  }

  static start(): OsBrick {
    return new OsBrick()
  }

  /** The time is os-brick's own: neither Python's start nor the way to it counts. */
  async connect(
    protocol: string,
    properties: Properties,
    { multipath = false } = {},
  ): Promise<{ milliseconds: number; info: Info }> {
    const { seconds, info } = await this.#ask({ op: 'connect', protocol, properties, multipath })
    return { milliseconds: seconds * 1000, info }
  }

  /** With a device info, as Cinder has it; or with none, as Nova does, which has the path among the properties. */
  async disconnect(
    protocol: string,
    properties: Properties,
    info: Info | null,
    { multipath = false } = {},
  ): Promise<{ milliseconds: number }> {
    const { seconds } = await this.#ask({ op: 'disconnect', protocol, properties, multipath, info })
    return { milliseconds: seconds * 1000 }
  }

  /** Its get_connector_properties. */
  async describe(ip: string, { multipath = false } = {}): Promise<{ milliseconds: number; info: Info }> {
    const { seconds, info } = await this.#ask({ op: 'describe', ip, multipath })
    return { milliseconds: seconds * 1000, info }
  }

  async stop(): Promise<void> {
    this.#process.stdin.end()
    await this.#exited
  }

  async #ask(request: Request): Promise<Answer> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`)
    const line = await this.#answers.next()
    if (line.done) throw new Error(`os-brick ended without an answer: ${this.#log}`)
    const answer = JSON.parse(line.value) as Answer | { error: string }
    if ('error' in answer) throw new Error(`os-brick could not ${request.op}: ${answer.error}`)
    return answer
  }
}
