import { binding, failedWith, finish } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { formatPortal, readHost } from './portal.ts'
import type { Portal } from './portal.ts'

/** The addresses behind a portal: itself, unless it is a host name. @throws BrickError PORTAL_UNREACHABLE */
export async function resolve(portal: Portal, signal: AbortSignal): Promise<Portal[]> {
  if (portal.family !== 'name') return [portal]
  try {
    const addresses = await finish(binding().resolveHost(portal.host), signal)
    return addresses
      .map((address) => readHost(address))
      .filter((host) => host !== undefined)
      .map((host) => ({ ...host, port: portal.port }))
  } catch (error) {
    if (!failedWith(error, 'ENOENT', 'EAGAIN')) throw error
    throw new BrickError('PORTAL_UNREACHABLE', `portal ${formatPortal(portal)}: ${error.detail ?? error.code}`, {
      details: { portal: formatPortal(portal) },
      cause: error,
    })
  }
}
