import { binding, finish } from '../binding.ts'
import { unreachable } from './connect.ts'
import { formatHost } from './portal.ts'
import type { Portal } from './portal.ts'

/** Where on this host a connection is to begin; what is left out the kernel chooses. */
export interface Origin {
  readonly address?: string | undefined
  readonly interface?: string | undefined
}

/**
 * The first of these portals, which are addresses, at which somebody listens. All are tried at once, and who listens does
 * not get to see it.
 *
 * @throws the signal's reason, or BrickError PORTAL_UNREACHABLE
 */
export async function firstListening(
  portals: readonly [Portal, ...Portal[]],
  { address = '', interface: name = '' }: Origin,
  signal: AbortSignal,
): Promise<Portal> {
  const enough = new AbortController()
  const either = AbortSignal.any([signal, enough.signal])
  const probe = async (portal: Portal): Promise<Portal> => {
    await finish(binding().probePort(formatHost(portal), portal.port, address, name), either)
    return portal
  }
  try {
    return await Promise.any(portals.map(probe))
  } catch (error) {
    throw unreachable(portals[0], error instanceof AggregateError ? error.errors[0] : error, signal)
  } finally {
    enough.abort()
  }
}
