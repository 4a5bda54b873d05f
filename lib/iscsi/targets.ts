import { BrickError } from '../errors.ts'
import { initiatorName } from '../host/initiator-name.ts'
import { resolve } from '../network/resolve.ts'
import type { Operation } from '../operation.ts'
import { sameTargetName } from '../properties/iscsi.ts'
import type { IscsiProperties, IscsiTarget } from '../properties/iscsi.ts'
import { askTargets } from './discovery.ts'
import type { DiscoveredTarget } from './discovery.ts'
import { findInterface } from './initiator.ts'
import { builtInInterface } from './interface.ts'
import { formatPortal, parsePortal } from './portal.ts'

/**
 * The targets that the properties name, over the interface of this name, with addresses for host names: sessions are
 * known by address. A name that cannot be looked up now stays: it must keep nobody from the other portals.
 */
export async function namedTargets(
  { targets }: IscsiProperties,
  interfaceName: string,
  operation: Operation,
): Promise<IscsiTarget[]> {
  const over =
    builtInInterface(interfaceName) ??
    (await operation.step('interface', (signal) => findInterface(interfaceName, signal)))
  const named = targets.map((target) => ({ ...target, over }))
  if (named.every(({ portal }) => portal.family !== 'name')) return named
  return operation.step('resolve', async (signal) => {
    const resolved = named.map(async (target) => {
      try {
        const portals = await resolve(target.portal, signal)
        return portals.map((portal) => ({ ...target, portal }))
      } catch (error) {
        if (!(error instanceof BrickError)) throw error
        return [target]
      }
    })
    return (await Promise.all(resolved)).flat()
  })
}

/**
 * All ways to a volume of which the properties name one: asked of the first portal that answers. A portal that does not
 * tell leaves the ways that are named, and why.
 */
export async function discoverTargets(
  { discoveryCredentials }: IscsiProperties,
  named: readonly IscsiTarget[],
  operation: Operation,
): Promise<{ ways: readonly IscsiTarget[]; failure: BrickError | undefined }> {
  let failure: BrickError | undefined
  for (const [tried, target] of named.entries()) {
    try {
      // One that does not answer leaves time for the next, and for the ways that are named.
      const patience = operation.share(0.5 / (named.length - tried))
      const name = await operation.step('name', initiatorName)
      const identity = { initiatorName: name, credentials: discoveryCredentials }
      return {
        ways: waysTo(target, await askTargets(target.portal, identity, operation, patience)),
        failure: undefined,
      }
    } catch (error) {
      if (operation.signal.aborted || !(error instanceof BrickError)) throw error
      failure = error
    }
  }
  return { ways: named, failure }
}

/**
 * The places where a target's volume may be, given all targets that its portal knows: the target's own portals. A backend
 * that has a target per portal shows the volume in each of them; so where the portal knows of portals that the target is
 * not at, the other targets there may be ways as well. Whether they lead to the volume, its identity decides.
 */
export function waysTo(target: IscsiTarget, discovered: readonly DiscoveredTarget[]): IscsiTarget[] {
  const pairs = discovered.flatMap(({ iqn, portals }) =>
    portals.map(({ portal }) => ({ ...target, iqn, portal: parsePortal(portal) })),
  )
  const own = pairs.filter(({ iqn }) => sameTargetName(iqn, target.iqn))
  const at = new Set([target, ...own].map(({ portal }) => formatPortal(portal)))
  const elsewhere = pairs
    .filter(({ portal }) => !at.has(formatPortal(portal)))
    .map((way) => ({ ...way, guessed: true }))
  const others = own.filter(({ portal }) => formatPortal(portal) !== formatPortal(target.portal))
  return [target, ...others, ...elsewhere]
}
