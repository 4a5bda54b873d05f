import { invalid } from '../errors.ts'
import { nvmeHost } from '../host/nvme-host.ts'
import type { NvmeHost } from '../host/nvme-host.ts'
import { readIPv6 } from '../network/portal.ts'
import { asBrickError, Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { parseNvmeSettings } from '../properties/nvmeof.ts'
import type { NvmeConnectSettings, NvmeSettings } from '../properties/nvmeof.ts'
import { isObject } from '../properties/read.ts'
import { Rollback, undone } from '../rollback.ts'
import { discoveryLog } from './admin.ts'
import { nvmeAddress, nvmeTransport, portalOf, requiredPort } from './address.ts'
import type { NvmeAddress, NvmeTransport } from './address.ts'
import { notConnected } from './connect-error.ts'
import { connect, placesOf, probe } from './controller.ts'
import { askDiscovery } from './discovery-session.ts'
import type { DiscoveredSubsystem } from './log-pages.ts'
import { discoveryNqn } from './names.ts'

/** Where to ask. */
export interface DiscoveryPortal {
  /** TCP when left out. */
  transport?: NvmeTransport | undefined
  /** An address or host name; over Fibre Channel the port's two names; the loop transport needs none. */
  address?: string | undefined
  /** Over TCP 8009 when left out, over RDMA 4420. */
  port?: number | string | undefined
}

export interface NvmeDiscoveryOptions extends CallOptions {
  /** The NVMe name to ask under: a target shows what is meant for it. By default this host's own. */
  hostNqn?: string | undefined
  /** The UUID that goes with it. By default the one that is in the name, or this host's own. */
  hostId?: string | undefined
  /** How this host connects: from where, with which secrets, and whether by TLS. */
  settings?: NvmeConnectSettings | undefined
}

/** The port that IANA assigned to discovery controllers over TCP. Many a target has its own at 4420. */
const defaultPort = 8009

/**
 * Asks a portal which NVMe subsystems it has for this host. A list of which anything cannot be read is an error.
 *
 * Over plain TCP that is a connection of our own, which needs neither root nor the kernel's NVMe. For other transports and
 * with `settings` the kernel connects to the discovery controller, and disconnects at the end; such controllers of others
 * stay.
 *
 * @throws BrickError INVALID_ARGUMENT, PORTAL_UNREACHABLE, AUTH_FAILED, LOGIN_FAILED, NOT_SUPPORTED
 */
export async function discoverNvmeSubsystems(
  portal: string | DiscoveryPortal,
  options: NvmeDiscoveryOptions = {},
): Promise<DiscoveredSubsystem[]> {
  const { settings: given = {} } = options
  const settings = parseNvmeSettings(given)
  const address = parseAddress(portal, given)
  using operation = new Operation('nvme.discoverSubsystems', options)
  const host = await operation.step('host', (signal) => nvmeHost(options, signal))
  const direct = address.transport === 'tcp' && Object.keys(given).length === 0 ? portalOf(address) : undefined
  return direct
    ? await askDiscovery(direct, host, operation)
    : await askThroughKernel(address, settings, host, operation)
}

/** `host`, `host:port`, `[ipv6]:port` or its parts. */
function parseAddress(portal: unknown, { host_traddr, host_iface }: NvmeConnectSettings): NvmeAddress {
  const { address, port, transport: name } = isObject(portal) ? portal : partsOf(portal)
  const transport = name === undefined ? 'tcp' : nvmeTransport(name, 'transport')
  const place = nvmeAddress(transport, { traddr: address, hostTraddr: host_traddr, hostIface: host_iface }, 'portal')
  if (port !== undefined) return { ...place, trsvcid: requiredPort(port, 'port') }
  return transport === 'tcp' ? { ...place, trsvcid: defaultPort } : place
}

function partsOf(text: unknown): Record<string, string | undefined> {
  if (typeof text !== 'string') throw invalid('portal', 'an address and a port as in 10.0.0.1:8009', text)
  if (readIPv6(text)) return { address: text }
  const [, address, port] = /^(\[.*\]|[^:]*)(?::(.*))?$/s.exec(text) ?? [undefined, text]
  return { address, port }
}

/** Through a discovery controller of our own: of these the kernel makes as many as are asked for. */
async function askThroughKernel(
  address: NvmeAddress,
  settings: NvmeSettings,
  host: NvmeHost,
  operation: Operation,
): Promise<DiscoveredSubsystem[]> {
  const { signal } = operation
  const rollback = new Rollback()
  try {
    const places = await operation.step('resolve', () => placesOf(address, signal))
    using portal = probe(address, places, signal)
    const answering = await operation.step('portal', () => portal.answer)
    const destination = { nqn: discoveryNqn, address: answering, host: Promise.resolve(host), settings }
    const { instance, connected, reason } = await operation.step('connect', () =>
      connect(destination, rollback, signal),
    )
    if (!connected) throw notConnected(reason, discoveryNqn, answering)
    const found = await operation.step('log', () => discoveryLog(`nvme${instance}`, signal))
    const [leftover] = await rollback.run(operation)
    if (leftover) throw asBrickError(leftover.error, leftover.step)
    return found
  } catch (error) {
    throw await undone(error, 'discovery', () => rollback.run(operation))
  }
}
