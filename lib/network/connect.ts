import { once } from 'node:events'
import { connect } from 'node:net'
import type { LookupFunction, Socket } from 'node:net'
import { BrickError } from '../errors.ts'
import { formatHost, formatPortal, readHost } from './portal.ts'
import type { Portal } from './portal.ts'
import { resolve } from './resolve.ts'

/** Milliseconds after which the next address behind a host name is tried. */
const addressPatience = 2000

/**
 * Opens a TCP connection to a portal. The signal ends it, then and later.
 *
 * @throws the signal's reason, or BrickError PORTAL_UNREACHABLE
 */
export async function openConnection(portal: Portal, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted()
  const socket = connect({
    host: formatHost(portal),
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
    return socket
  } catch (error) {
    socket.destroy()
    throw unreachable(portal, error, signal)
  }
}

/** Where a connection leads: an address, whatever was asked for. */
export function peerOf({ remoteAddress }: Socket, portal: Portal): Portal {
  if (portal.family !== 'name' || remoteAddress === undefined) return portal
  const host = readHost(remoteAddress)
  return host ? { ...host, port: portal.port } : portal
}

/** What a connection that broke fails with: the signal's reason, a BrickError as it is, or PORTAL_UNREACHABLE. */
export function unreachable(portal: Portal, cause: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  if (cause instanceof BrickError) return cause
  const text = formatPortal(portal)
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  return new BrickError('PORTAL_UNREACHABLE', `portal ${text}: ${reason}`, { details: { portal: text, reason }, cause })
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
