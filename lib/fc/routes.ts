import { withDeadline } from '../abort.ts'
import { BrickError, invalid } from '../errors.ts'
import type { Operation } from '../operation.ts'
import type { FibreChannelProperties, FibreChannelTarget } from '../properties/fibre-channel.ts'
import type { KernelLun } from '../scsi/lun.ts'
import { findDisk } from '../scsi/unit.ts'
import type { UnitAddress } from '../scsi/unit.ts'
import { ofSubsystem } from '../udev/uevents.ts'
import { Watch } from '../wait.ts'
import type { Architecture } from './architecture.ts'
import { readFabric } from './ports.ts'
import type { Fabric, HostPort, RemotePort } from './ports.ts'
import { formatWwn } from './wwn.ts'

/** One way to a volume: from a port of this host to a port of the backend. */
export interface Route {
  readonly target: FibreChannelTarget
  /** Undefined when no port of this host sees the backend's. */
  readonly own?: HostPort
  /** The backend's port as ours sees it; undefined while ours is down, or nobody sees it. */
  readonly remote?: RemotePort
  /** Whether the properties do not name the backend's port, so that its unit may be another volume. */
  readonly guessed: boolean
}

/** Milliseconds that a port has to come up: after a change of zoning the adapter hears of it and logs in. */
const portPatience = 10_000

/**
 * The ways to a volume, those first that can be used. Waits until there is one that can.
 *
 * Every port of the backend is reached from each port of this host that sees it; one that nobody sees is a way, too,
 * which fails. Ports that the properties do not name are tried only when none of those that they do is known.
 *
 * @throws BrickError NOT_SUPPORTED when this host has no Fibre Channel port; INVALID_ARGUMENT when the properties are for
 * another host; PORTAL_UNREACHABLE, with the state of every port
 */
export async function findRoutes(
  volume: FibreChannelProperties,
  architecture: Architecture,
  operation: Operation,
): Promise<Route[]> {
  const patience = withDeadline(operation.share(0.5), portPatience)
  let fabric: Fabric | undefined
  return await operation.step('ports', async (signal) => {
    using watch = new Watch('kernel', [ofSubsystem('fc_remote_ports')])
    const look = async (): Promise<Route[] | undefined> => {
      const searched = fabric !== undefined
      fabric = await readFabric(signal)
      const routes = routesTo(volume, fabric)
      if (routes.some(isUsable)) return routes
      if (!searched) await architecture.search(namedPorts(volume, fabric).filter(isUp), signal)
      return undefined
    }
    try {
      return await watch.until(look, patience)
    } catch (error) {
      if (signal.aborted || !patience.aborted || fabric === undefined) throw error
      const guesses = guessedRoutes(volume, fabric)
      if (guesses.length > 0) return guesses
      throw unreachable(volume, fabric)
    }
  })
}

/**
 * All ways that there are now, as above. A port that is down has a way to what it saw before, and to what the properties
 * have it use.
 */
export function routesTo(volume: FibreChannelProperties, fabric: Fabric): Route[] {
  const ports = namedPorts(volume, fabric)
  const down = volume.initiators ? ports.filter((port) => !isUp(port)) : []
  const routes = volume.targets.flatMap((target): Route[] => {
    const seen = pairs(ports, fabric).filter(({ remote }) => remote.portName === target.portName)
    const blind = down.filter((own) => !seen.some((way) => way.own === own))
    const found = [...seen, ...blind.map((own) => ({ own }))].filter(({ own }) => mayUse(volume, own, target.portName))
    if (found.length > 0) return found.map((way) => ({ target, ...way, guessed: false }))
    return isForThisHost(volume, target.portName) ? [{ target, guessed: false }] : []
  })
  return [...routes.filter(isUsable), ...routes.filter((route) => !isUsable(route))]
}

/** Only a name can tell whether what is found there is the volume. */
function guessedRoutes(volume: FibreChannelProperties, fabric: Fabric): Route[] {
  if (!volume.wildcard || volume.wwn === undefined || routesTo(volume, fabric).some(({ remote }) => remote)) return []
  const luns = [...new Set(volume.targets.map(({ lun }) => lun))]
  return pairs(namedPorts(volume, fabric).filter(isUp), fabric)
    .flatMap((way) => luns.map((lun) => ({ target: { portName: way.remote.portName, lun }, ...way, guessed: true })))
    .filter(isUsable)
}

function pairs(ports: readonly HostPort[], { remotePorts }: Fabric): { own: HostPort; remote: RemotePort }[] {
  return ports.flatMap((own) => remotePorts.filter(({ host }) => host === own.host).map((remote) => ({ own, remote })))
}

/** Whether the unit can be asked for: the port on the other side is logged in. */
export function isUsable({ remote }: Route): boolean {
  return remote !== undefined && ['Online', 'Marginal'].includes(remote.state)
}

function isUp({ state }: HostPort): boolean {
  return state === 'Online'
}

/** The ports of this host that the backend knows of. */
function namedPorts({ initiators }: FibreChannelProperties, { hostPorts }: Fabric): HostPort[] {
  if (hostPorts.length === 0) throw new BrickError('NOT_SUPPORTED', 'this host has no Fibre Channel port')
  const named = hostPorts.filter(({ portName }) => !initiators || initiators.has(portName ?? ''))
  if (named.length > 0) return named
  const own = hostPorts.map(({ portName }) => portName ?? 'unreadable').join(', ')
  throw invalid('initiator_target_map', `a port of this host (${own})`, [...(initiators?.keys() ?? [])])
}

function mayUse({ initiators }: FibreChannelProperties, { portName }: HostPort, target: string): boolean {
  return initiators === undefined || initiators.get(portName ?? '')?.includes(target) === true
}

/** Whether any port of this host is to use the backend's. */
function isForThisHost({ initiators }: FibreChannelProperties, target: string): boolean {
  return initiators === undefined || [...initiators.values()].some((targets) => targets.includes(target))
}

/** What is the matter with each port, in words and as evidence. */
function unreachable(volume: FibreChannelProperties, fabric: Fabric): BrickError {
  const named = namedPorts(volume, fabric)
  const own = fabric.hostPorts.map((port) => ({
    host: `host${port.host}`,
    port_name: port.portName,
    state: port.state,
    skipped: !named.includes(port) ? 'not in initiator_target_map' : isUp(port) ? null : 'not online',
  }))
  const targets = volume.targets.map(({ portName }) => ({
    port_name: portName,
    seen: fabric.remotePorts
      .filter((remote) => remote.portName === portName)
      .map(({ name, state }) => ({ remote_port: name, state })),
  }))
  const names = [...new Set(volume.targets.map(({ portName }) => formatWwn(portName)))].join(', ')
  return new BrickError('PORTAL_UNREACHABLE', `no port of this host that may be used reaches ${names}`, {
    details: { own, targets },
  })
}

/** @throws BrickError PORTAL_UNREACHABLE */
export function requireUsable(route: Route): { own: HostPort; remote: RemotePort } {
  const { own, remote, target } = route
  const name = formatWwn(target.portName)
  if (own === undefined) throw new BrickError('PORTAL_UNREACHABLE', `no port of this host sees ${name}`)
  if (remote === undefined) throw new BrickError('PORTAL_UNREACHABLE', `host${own.host} is ${own.state}`)
  if (isUsable(route)) return { own, remote }
  throw new BrickError('PORTAL_UNREACHABLE', `${name} is ${remote.state} as ${remote.name}`, {
    details: { remote_port: remote.name, state: remote.state },
  })
}

/** Those first whose disk is there: who needs one way only is not to bring another. */
export async function attachedFirst(routes: readonly Route[], signal: AbortSignal): Promise<Route[]> {
  const disks = await Promise.all(
    routes.map(async ({ remote, target }) => remote && (await findDisk(unitAt(remote, target.lun), signal))),
  )
  const isThere = (_: Route, index: number): boolean => disks[index] !== undefined
  return [...routes.filter(isThere), ...routes.filter((route, index) => !isThere(route, index))]
}

/** Whether a way is what has become of one that was missing. */
export function isSuccessor(route: Route, { target, own }: Route): boolean {
  if (route.target.portName !== target.portName || route.target.lun !== target.lun) return false
  return own === undefined || own.portName === route.own?.portName
}

export function unitAt({ host, channel, target }: RemotePort, lun: KernelLun): UnitAddress {
  return { hctl: `${host}:${channel}:${target}:${lun}`, host }
}
