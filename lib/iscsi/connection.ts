import type { Socket } from 'node:net'
import { openConnection, peerOf, unreachable } from '../network/connect.ts'
import { encodeRequest, malformed, noTag, opcodes, readResponses } from './pdu.ts'
import type { Request, Response } from './pdu.ts'
import type { Portal } from './portal.ts'

/** More than any honest conversation of ours has. */
const responseLimit = 10_000

/**
 * A TCP connection to a portal, in PDUs. The signal that opens it ends it.
 *
 * All calls fail with the signal's reason, with PORTAL_UNREACHABLE when the connection breaks, or with LOGIN_FAILED when
 * what comes through it is not iSCSI.
 */
export class Connection implements Disposable {
  /** Where it leads: an address, whatever was asked for. */
  readonly portal: Portal
  readonly #socket: Socket
  readonly #signal: AbortSignal
  readonly #responses: AsyncGenerator<Response, void>
  #received = 0
  /** ExpStatSN: acknowledges all that came before. */
  #expected = 0

  private constructor(portal: Portal, socket: Socket, signal: AbortSignal) {
    this.portal = portal
    this.#socket = socket
    this.#signal = signal
    this.#responses = readResponses(socket)
  }

  static async open(portal: Portal, signal: AbortSignal): Promise<Connection> {
    const socket = await openConnection(portal, signal)
    return new Connection(peerOf(socket, portal), socket, signal)
  }

  send(request: Request): void {
    this.#socket.write(encodeRequest(request, this.#expected))
  }

  async receive(): Promise<Response> {
    try {
      const { value: response } = await this.#responses.next()
      if (!response) throw new Error('the connection was closed before an answer came')
      if (++this.#received > responseLimit) throw malformed('an answer without an end')
      // RFC 7143 11.19.2: a ping from the target tells the next number without using it up.
      const ping = response.opcode === opcodes.nopIn && response.taskTag === noTag
      this.#expected = (response.status + (ping ? 0 : 1)) >>> 0
      return response
    } catch (error) {
      throw unreachable(this.portal, error, this.#signal)
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}
