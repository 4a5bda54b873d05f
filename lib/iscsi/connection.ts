import { once } from 'node:events'
import { connect } from 'node:net'
import type { LookupFunction, Socket } from 'node:net'
import { BrickError } from '../errors.ts'
import { encodeRequest, malformed, noTag, opcodes, readResponses } from './pdu.ts'
import type { Request, Response } from './pdu.ts'
import { formatPortal, nodeRecordAddress, portalAt } from './portal.ts'
import type { Portal } from './portal.ts'
import { resolve } from './resolve.ts'

/** More than any honest conversation of ours has. */
const responseLimit = 10_000
/** Milliseconds after which the next address behind a host name is tried. */
const addressPatience = 2000

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
    signal.throwIfAborted()
    const socket = connect({
      host: nodeRecordAddress(portal),
      port: portal.port,
      lookup: lookup(portal, signal),
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: addressPatience,
      noDelay: true,
      signal,
    })
    // Who reads next is told; until somebody does, an error is no reason to end the process.
    socket.on('error', () => undefined)
    try {
      await once(socket, 'connect')
      return new Connection(addressOf(socket, portal), socket, signal)
    } catch (error) {
      socket.destroy()
      throw failure(portal, error, signal)
    }
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
      throw failure(this.portal, error, this.#signal)
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}

/** Host names are looked up by threads of the addon, not of libuv. */
function lookup(portal: Portal, signal: AbortSignal): LookupFunction {
  return (_host, _options, callback) => {
    resolve(portal, signal).then(
      (addresses) => {
        callback(
          null,
          addresses.map(({ host, family }) => ({ address: host, family: family === 'ipv6' ? 6 : 4 })),
        )
      },
      (error: unknown) => {
        callback(error as NodeJS.ErrnoException, [])
      },
    )
  }
}

function addressOf({ remoteAddress }: Socket, portal: Portal): Portal {
  if (portal.family !== 'name' || remoteAddress === undefined) return portal
  return portalAt(remoteAddress, portal.port)
}

function failure(portal: Portal, cause: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  if (cause instanceof BrickError) return cause
  const text = formatPortal(portal)
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  return new BrickError('PORTAL_UNREACHABLE', `portal ${text}: ${reason}`, { details: { portal: text, reason }, cause })
}
