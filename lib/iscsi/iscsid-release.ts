import { endianness } from 'node:os'
import { orAborted } from '../abort.ts'
import { binding, failedWith, finish, SystemError } from '../binding.ts'
import type { Answer } from '../binding.ts'
import { run } from '../cli/run.ts'
import { BrickError } from '../errors.ts'
import { readFile } from '../files.ts'
import { requestLayouts } from './login-request.ts'
import type { RequestLayout } from './login-request.ts'

/** MGMT_IPC_CONFIG_INAME: tells the initiator's name, and changes nothing. */
const nameCommand = 8
/** sizeof(iscsiadm_rsp), in every release so far. */
const answerLength = 2464
/**
 * What iscsid reads of one request is as long as its own structure, which has grown with its releases (12,856 to 16,128
 * bytes so far); it drops what comes after. One that the kernel could not queue in one piece (about 48 KiB) might still be on
 * its way when iscsid has answered and closed the connection.
 */
export const ampleLength = 32_768

/** Milliseconds: for the answer to an ample request, for which iscsid never waits, and to one that might be too short for it. */
const patience = 2000
const blockingPatience = 500
/** Milliseconds for finding out, once for each iscsid. */
const studyPatience = 10_000

/**
 * Which requests the running iscsid reads. The structure that it reads has no version, its length differs from release
 * to release, and a request that is too short blocks its only thread. So nothing is guessed:
 *
 * 1. An ample question for its name is answered by every release, and the kernel says which process wrote the answer.
 * 2. That process's own executable, which need not be the installed one any more, says its version.
 * 3. The same question in exactly the length of that version's layout must be answered, and read to its last byte: after a
 *    longer one the kernel reports a reset. Only an iscsid that wants more than its version says waits for the rest, once, and
 *    for half a second.
 *
 * What remains unseen is a build that has changed the order within the structure, but neither its length nor its version.
 */
export class IscsidRelease {
  readonly #socketName: string
  #known:
    { readonly pid: number; readonly start: string; readonly layout: Promise<RequestLayout | undefined> } | undefined

  constructor(socketName: string) {
    this.#socketName = socketName
  }

  /** Undefined when no iscsid is running, or one whose requests are not known. */
  async layout(signal: AbortSignal): Promise<RequestLayout | undefined> {
    // The one that answered before, if it still runs.
    const last = this.#known
    if (last && (await startOfIscsid(last.pid, signal)) === last.start) return orAborted(last.layout, signal)

    const pid = (await this.#ask(ampleLength, patience, signal))?.pid
    const start = pid === undefined ? undefined : await startOfIscsid(pid, signal)
    if (pid === undefined || start === undefined) return undefined

    // For all who come meanwhile, so not to be ended by the first one's signal.
    if (this.#known?.pid !== pid || this.#known.start !== start) {
      this.#known = { pid, start, layout: this.#study(pid) }
    }
    return orAborted(this.#known.layout, signal)
  }

  async #study(pid: number): Promise<RequestLayout | undefined> {
    const signal = AbortSignal.timeout(studyPatience)
    try {
      const layout = requestLayouts.get((await versionOf(pid, signal)) ?? '')
      if (layout === undefined || endianness() !== 'LE') return undefined
      const answer = await this.#ask(layout.length, blockingPatience, signal)
      return answer?.pid === pid && answer.consumed ? layout : undefined
    } catch (error) {
      if (error instanceof BrickError || error instanceof SystemError || signal.aborted) return undefined
      throw error
    }
  }

  /** The answer to a question of this length; undefined when none came, or another than iscsid's. */
  async #ask(length: number, timeout: number, signal: AbortSignal): Promise<Answer | undefined> {
    const question = Buffer.alloc(length)
    question.writeInt32LE(nameCommand, 0)
    try {
      const answer = await finish(binding().askAbstract(this.#socketName, question, timeout), signal)
      const { bytes } = answer
      const proper = bytes.length === answerLength && bytes.readInt32LE(0) === nameCommand && bytes.readInt32LE(4) === 0
      return proper ? answer : undefined
    } catch (error) {
      if (failedWith(error, 'ECONNREFUSED', 'EAGAIN')) return undefined
      throw error
    }
  }
}

/** When this process was started, which tells it from a later one of the same number; undefined when it is no iscsid. */
async function startOfIscsid(pid: number, signal: AbortSignal): Promise<string | undefined> {
  const stat = await readFile('files', `/proc/${pid}/stat`, signal, ['ENOENT', 'ESRCH'])
  // proc_pid_stat(5): the fields after the name, which begin with the third; the start is the 22nd.
  return /^\d+ \(iscsid\) (?:\S+ ){19}(\d+) /.exec(stat?.toString() ?? '')?.[1]
}

async function versionOf(pid: number, signal: AbortSignal): Promise<string | undefined> {
  const { code, output } = await run(`/proc/${pid}/exe`, ['--version'], signal)
  return code === 0 ? /^\S+ version (\S+)$/.exec(output.trim())?.[1] : undefined
}
