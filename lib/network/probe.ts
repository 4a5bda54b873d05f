import { orAborted } from '../abort.ts'
import { asSystemError, binding } from '../binding.ts'
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
 * not get to see it. Disposing gives up; `answer` then rejects.
 *
 * `answer` rejects with the signal's reason, or BrickError PORTAL_UNREACHABLE.
 */
export function firstListening(
  portals: readonly [Portal, ...Portal[]],
  { address = '', interface: name = '' }: Origin,
  signal: AbortSignal,
): Disposable & { readonly answer: Promise<Portal> } {
  const probes = portals.map((portal) => ({
    portal,
    ...binding().probePort(formatHost(portal), portal.port, address, name),
  }))
  const giveUp = (): void => {
    for (const { number } of probes.splice(0)) binding().abandon(number)
  }
  const first = async (): Promise<Portal> => {
    try {
      const answers = probes.map(({ portal, result }) => result.then(() => portal))
      return await orAborted(Promise.any(answers), signal)
    } catch (error) {
      const failure: unknown = error instanceof AggregateError ? error.errors[0] : error
      throw unreachable(portals[0], asSystemError(failure), signal)
    } finally {
      giveUp()
    }
  }
  return { answer: first(), [Symbol.dispose]: giveUp }
}
