import { orAborted } from '../abort.ts'
import { failedWith } from '../binding.ts'
import { BrickError } from '../errors.ts'
import type { NvmeHost } from '../host/nvme-host.ts'
import { openConnection, peerOf } from '../network/connect.ts'
import { formatHost } from '../network/portal.ts'
import { resolve } from '../network/resolve.ts'
import type { Operation } from '../operation.ts'
import type { NvmeSettings } from '../properties/nvmeof.ts'
import type { Rollback } from '../rollback.ts'
import { Watch } from '../wait.ts'
import { activeNamespaces } from './admin.ts'
import { formatAddress, leadsTo, portalOf } from './address.ts'
import type { NvmeAddress } from './address.ts'
import { ownControllers } from './attached.ts'
import type { FabricController } from './attached.ts'
import { connectError } from './connect-error.ts'
import { addressOptions, beginConnect, deleteController } from './fabrics.ts'
import type { FabricsController } from '../binding.ts'
import type { NvmeNamespace } from './controllers.ts'

/** A subsystem at an address, as this host goes there. */
export interface Destination {
  readonly nqn: string
  readonly address: NvmeAddress
  readonly host: NvmeHost
  readonly settings: NvmeSettings
}

/** A controller that serves commands. */
export interface OpenController {
  /** 'nvme1' */
  readonly name: string
  /** Whether this call has connected it. */
  readonly fresh: boolean
}

/** States in which the kernel takes a controller for none that is there (nvmf_ip_options_match, nvmf_ctlr_matches_baseopts). */
const leaving = ['deleting', 'deleting (no IO)', 'dead']

/**
 * The controller at a destination: the one that is there, or a new one.
 *
 * @param patience for how long the portal may take to answer, or a controller that is being connected anew
 * @throws BrickError PORTAL_UNREACHABLE, TARGET_NOT_FOUND, AUTH_FAILED, LOGIN_FAILED, NOT_SUPPORTED
 */
export async function openController(
  destination: Destination,
  patience: AbortSignal,
  operation: Operation,
  rollback: Rollback,
): Promise<OpenController> {
  const places = await operation.step('resolve', () => placesOf(destination.address, patience))
  const find = async (signal: AbortSignal): Promise<FabricController | undefined> => {
    const controllers = await ownControllers(destination.nqn, destination.host, signal)
    return controllers.find(
      ({ address, state }) => !leaving.includes(state) && places.some((place) => leadsTo(address, place)),
    )
  }
  const existing = await operation.step('controllers', find)
  if (existing) return { name: await operation.step('live', () => whenLive(find, destination, patience)), fresh: false }
  const address = await operation.step('portal', () => answering(destination.address, places, patience))
  try {
    const { instance } = await operation.step('connect', (signal) =>
      connect({ ...destination, address }, rollback, signal),
    )
    return { name: `nvme${instance}`, fresh: true }
  } catch (error) {
    // Another program was faster.
    if (!failedWith(error instanceof Error ? error.cause : undefined, 'EALREADY')) throw error
    return { name: await operation.step('live', () => whenLive(find, destination, patience)), fresh: false }
  }
}

/** The kernel takes addresses, and no names. */
async function placesOf(address: NvmeAddress, signal: AbortSignal): Promise<NvmeAddress[]> {
  const portal = portalOf(address)
  if (!portal) return [address]
  return (await resolve(portal, signal)).map((each) => ({ ...address, traddr: formatHost(each) }))
}

/**
 * The first of these places that answers. A portal that does not would keep the kernel busy for long, and from
 * connecting anything else. Only TCP can be tried.
 */
async function answering(
  address: NvmeAddress,
  places: readonly NvmeAddress[],
  patience: AbortSignal,
): Promise<NvmeAddress> {
  const portal = portalOf(address)
  if (!portal || address.transport !== 'tcp') return places[0] ?? address
  const socket = await openConnection(portal, patience)
  const peer = peerOf(socket, portal)
  socket.destroy()
  return { ...address, traddr: formatHost(peer) }
}

/** The controller's name, as soon as the kernel has connected it. It may be the work of another program, or be done anew. */
async function whenLive(
  find: (signal: AbortSignal) => Promise<FabricController | undefined>,
  { nqn, address }: Destination,
  signal: AbortSignal,
): Promise<string> {
  using watch = new Watch('kernel', ({ subsystem }) => subsystem === 'nvme')
  return await watch.until(async () => {
    const controller = await find(signal)
    if (controller?.state === 'live') return controller.name
    if (controller) return undefined
    throw new BrickError('LOGIN_FAILED', `${formatAddress(address)}, ${nqn}: the controller has gone`)
  }, signal)
}

async function connect(
  { nqn, address, host, settings }: Destination,
  rollback: Rollback,
  signal: AbortSignal,
): Promise<FabricsController> {
  const options = {
    ...addressOptions(address),
    nqn,
    hostnqn: host.nqn,
    hostid: host.id,
    ctrl_loss_tmo: -1,
    ...settings,
  }
  const { outcome } = await beginConnect(options, signal)
  const settled = outcome.then(
    ({ instance }) => `nvme${instance}`,
    () => undefined,
  )
  rollback.add('connect', async (late) => {
    // One that comes up later than undoing may take goes all the same.
    const gone = settled.then(async (name) => {
      if (name !== undefined) await deleteController(name, new AbortController().signal)
    })
    await orAborted(gone, late)
  })
  try {
    return await orAborted(outcome, signal)
  } catch (error) {
    signal.throwIfAborted()
    throw connectError(error, nqn, address)
  }
}

/**
 * Disconnects a controller, unless it has other namespaces than these disks. It is asked itself what it has: the kernel
 * may not have heard yet of one that is new.
 */
export async function leave(
  { name, state, paths }: FabricController,
  own: readonly NvmeNamespace[],
  signal: AbortSignal,
): Promise<void> {
  const known = paths.map(({ namespace }) => namespace.namespaceId)
  const numbers = state === 'live' ? await listed(name, known, signal) : known
  const isOwn = (number: number): boolean => own.some(({ namespaceId }) => namespaceId === number)
  if (numbers.every(isOwn)) await deleteController(name, signal)
}

/** A controller that was lost a moment ago cannot be asked. */
async function listed(name: string, known: readonly number[], signal: AbortSignal): Promise<readonly number[]> {
  try {
    return await activeNamespaces(name, signal)
  } catch (error) {
    if (failedWith(error, 'EIO', 'EAGAIN', 'ENXIO', 'ENODEV', 'ENOENT')) return known
    throw error
  }
}
