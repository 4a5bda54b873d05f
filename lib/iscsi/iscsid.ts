import { binding, failedWith, finish } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { readFile } from '../files.ts'
import { iscsiError } from './errors.ts'
import { ampleLength, IscsidRelease } from './iscsid-release.ts'
import { loginRequest } from './login-request.ts'
import type { NodeSettings } from './node-settings.ts'
import type { Session } from './sessions.ts'

const logoutCommand = 2
/** Of iscsi_err.h. */
const success = 0
const sessionNotFound = 2
const sessionExists = 15
const notConnected = 32

/** command i32, error i32, and an answer that is not for us. */
const responseHeader = 8

/** iscsid, spoken to over its management socket: open-iscsi, usr/mgmt_ipc.h and usr/mgmt_ipc.c. */
export class Iscsid {
  readonly #socketName: string
  readonly #release: IscsidRelease

  constructor(socketName = 'ISCSIADM_ABSTRACT_NAMESPACE') {
    this.#socketName = socketName
    this.#release = new IscsidRelease(socketName)
  }

  /**
   * Logs in as a node record says and returns when the session is up. One that is up already is fine.
   * False, and nothing has been done, when no iscsid is running, or none to whom this record can be said.
   *
   * @throws BrickError
   */
  async login(record: NodeSettings, signal: AbortSignal): Promise<boolean> {
    const layout = await this.#release.layout(signal)
    const request = layout && loginRequest(record, layout)
    if (request === undefined) return false
    const error = await this.#ask(request, signal)
    if (error === undefined) return false
    if (error === success || error === sessionExists) return true
    throw iscsiError(error, `iscsid: login to ${record.get('node.name') ?? ''}`)
  }

  /**
   * Ends a session and returns when it has. One that has gone is fine. False when no iscsid is running.
   *
   * @throws BrickError BUSY when it has not taken over the session yet, which it does some time after its start
   */
  async logout({ id }: Session, signal: AbortSignal): Promise<boolean> {
    const request = Buffer.alloc(12)
    request.writeInt32LE(logoutCommand, 0)
    // payload_len at 4 is 0; the session's number begins the union that follows, in every release.
    request.writeInt32LE(id, 8)
    const error = await this.#ask(request, signal)
    if (error === undefined) return false
    if (error === notConnected || (error === sessionNotFound && (await isThere(id, signal)))) {
      throw new BrickError('BUSY', `iscsid has not taken over session ${id} yet`, { details: { session: id, error } })
    }
    if (error !== success && error !== sessionNotFound) throw iscsiError(error, `iscsid: logout of session ${id}`)
    return true
  }

  /** Sends one request and returns the error number of iscsid's response; undefined when nobody listens. */
  async #ask(request: Buffer, signal: AbortSignal): Promise<number | undefined> {
    const padded = Buffer.concat([request], ampleLength)
    try {
      // iscsid takes a closed connection for a client that has lost interest: it stays open until the answer is there.
      const response = await finish(
        binding().exchange([{ abstract: this.#socketName }], padded, responseHeader),
        signal,
      )
      return response.readInt32LE(4)
    } catch (error) {
      if (failedWith(error, 'ECONNREFUSED')) return undefined
      if (failedWith(error, 'ECONNRESET')) {
        throw iscsiError(undefined, 'iscsid closed the connection without an answer')
      }
      throw error
    }
  }
}

async function isThere(session: number, signal: AbortSignal): Promise<boolean> {
  return (await readFile('sysfs', `/sys/class/iscsi_session/session${session}/state`, signal)) !== undefined
}
