import { connect } from 'node:net'
import { binding, failedWith, finish } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { formatPortal, nodeRecordAddress, parsePortal } from './portal.ts'
import type { Portal } from './portal.ts'

/**
 * Returns when the portal has accepted a TCP connection.
 *
 * Asked before iscsid is: that would go on trying a dead portal long after the caller has given up.
 *
 * @throws BrickError PORTAL_UNREACHABLE
 */
export async function reach(portal: Portal, signal: AbortSignal): Promise<void> {
  const socket = connect({ host: nodeRecordAddress(portal), port: portal.port, signal })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject)
    })
  } catch (error) {
    signal.throwIfAborted()
    throw unreachable(portal, error)
  } finally {
    socket.destroy()
  }
}

/** The addresses behind a portal: itself, unless it is a host name. @throws BrickError PORTAL_UNREACHABLE */
export async function resolve(portal: Portal, signal: AbortSignal): Promise<Portal[]> {
  if (portal.family !== 'name') return [portal]
  try {
    const addresses = await finish(binding().resolveHost(portal.host), signal)
    return addresses.map((address) =>
      parsePortal(address.includes(':') ? `[${address}]:${portal.port}` : `${address}:${portal.port}`),
    )
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'EAGAIN')) throw unreachable(portal, error)
    throw error
  }
}

function unreachable(portal: Portal, cause: unknown): BrickError {
  const text = formatPortal(portal)
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  return new BrickError('PORTAL_UNREACHABLE', `portal ${text}: ${reason}`, { details: { portal: text, reason }, cause })
}
