import { orAborted } from '../abort.ts'
import { failedWith } from '../binding.ts'
import { isInUse } from '../block/disk.ts'
import { BrickError } from '../errors.ts'
import type { NvmeHost } from '../host/nvme-host.ts'
import { lockAll } from '../lock.ts'
import { formatHost } from '../network/portal.ts'
import { firstListening } from '../network/probe.ts'
import { resolve } from '../network/resolve.ts'
import type { Operation } from '../operation.ts'
import type { NvmeSettings } from '../properties/nvmeof.ts'
import type { Rollback } from '../rollback.ts'
import { together } from '../together.ts'
import { ofSubsystem } from '../udev/uevents.ts'
import { Watch } from '../wait.ts'
import { activeNamespaces, isUnanswered } from './admin.ts'
import { formatAddress, leadsTo, portalOf } from './address.ts'
import type { NvmeAddress } from './address.ts'
import { ownControllers } from './attached.ts'
import type { FabricController } from './attached.ts'
import { connectError, notConnected } from './connect-error.ts'
import { addressOptions, beginConnect, deleteController } from './fabrics.ts'
import type { FabricsController } from '../binding.ts'
import { readControllers } from './controllers.ts'
import type { NvmeController, NvmeNamespace } from './controllers.ts'
import { discoveryNqn } from './names.ts'

/** A subsystem at an address, as this host goes there. */
export interface Destination {
  readonly nqn: string
  readonly address: NvmeAddress
  /** Who this host is: it may still be read while there is something else to find out. */
  readonly host: Promise<NvmeHost>
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
 * @param places where it may be: what the destination's address stands for
 * @param turn the lock of these places, which is given back at once when there is one
 * @param meanwhile what can be done while the kernel connects
 * @param patience for how long the portal may take to answer, and the controller to be connected
 * @throws BrickError PORTAL_UNREACHABLE, TARGET_NOT_FOUND, AUTH_FAILED, LOGIN_FAILED, NOT_SUPPORTED, INVALID_ARGUMENT
 */
export async function openController(
  destination: Destination,
  places: readonly NvmeAddress[],
  turn: Disposable,
  meanwhile: () => void,
  patience: AbortSignal,
  operation: Operation,
  rollback: Rollback,
): Promise<OpenController> {
  const find = async (signal: AbortSignal): Promise<FabricController | undefined> => {
    const controllers = await ownControllers(destination.nqn, destination.host, signal)
    const found = controllers.find(
      ({ address, state }) => !leaving.includes(state) && places.some((place) => leadsTo(address, place)),
    )
    if (found) refuseUnsecured(found, destination)
    return found
  }
  const join = async (): Promise<OpenController> => {
    turn[Symbol.dispose]()
    return { name: await operation.step('live', () => whenLive(find, destination, patience)), fresh: false }
  }
  // Two things at once: most often there is no controller, and then the portal has answered by now.
  using portal = probe(destination.address, places, patience)
  if (await operation.step('controllers', find)) return await join()
  const address = await operation.step('portal', () => portal.answer)
  try {
    const { instance, connected, reason } = await operation.step('connect', () =>
      connect({ ...destination, address }, rollback, patience, meanwhile),
    )
    const name = `nvme${instance}`
    if (!connected) await operation.step('live', () => whenConnected(name, destination, reason, patience))
    return { name, fresh: true }
  } catch (error) {
    // Another program was faster.
    if (!failedWith(error instanceof Error ? error.cause : undefined, 'EALREADY')) throw error
    return await join()
  }
}

/** The kernel takes addresses, and no names. */
export async function placesOf(address: NvmeAddress, signal: AbortSignal): Promise<NvmeAddress[]> {
  const portal = portalOf(address)
  if (!portal) return [address]
  return (await resolve(portal, signal)).map((each) => ({ ...address, traddr: formatHost(each) }))
}

/**
 * The first of these places that answers; disposing it ends the waiting. A portal that does not answer would keep the
 * kernel busy for long, and from connecting anything else. Only TCP can be tried.
 */
export function probe(
  address: NvmeAddress,
  places: readonly NvmeAddress[],
  patience: AbortSignal,
): Disposable & { answer: Promise<NvmeAddress> } {
  const [first, ...others] = address.transport === 'tcp' ? places.flatMap((place) => portalOf(place) ?? []) : []
  const origin = { address: address.hostTraddr, interface: address.hostIface }
  if (!first) return { answer: Promise.resolve(places[0] ?? address), [Symbol.dispose]: () => undefined }
  const listening = firstListening([first, ...others], origin, patience)
  const answer = listening.answer.then((portal) => ({ ...address, traddr: formatHost(portal) }))
  // Nobody may come to wait for it.
  answer.catch(() => undefined)
  return { ...listening, answer }
}

/** For the kernel a controller with TLS and one without are the same. @throws BrickError LOGIN_FAILED */
function refuseUnsecured({ name, tls }: FabricController, { nqn, address, settings }: Destination): void {
  if (settings.tls !== true || tls) return
  throw new BrickError('LOGIN_FAILED', `${formatAddress(address)}, ${nqn}: ${name} is connected there without TLS`, {
    details: { controller: name },
    retryable: false,
  })
}

/** The controller's name, as soon as the kernel has connected it. It may be the work of another program, or be done anew. */
async function whenLive(
  find: (signal: AbortSignal) => Promise<FabricController | undefined>,
  { nqn, address }: Destination,
  signal: AbortSignal,
  reason = 'the controller has gone',
): Promise<string> {
  using watch = new Watch('kernel', [ofSubsystem('nvme')])
  return await watch.until(async () => {
    const controller = await find(signal)
    if (controller?.state === 'live') return controller.name
    if (controller && !leaving.includes(controller.state)) return undefined
    throw notConnected(reason, nqn, address)
  }, signal)
}

/** A new controller of ours whose first connection has failed, for this reason. */
async function whenConnected(
  name: string,
  destination: Destination,
  reason: string,
  signal: AbortSignal,
): Promise<void> {
  const find = async (): Promise<FabricController | undefined> => {
    const controllers = await ownControllers(destination.nqn, destination.host, signal)
    return controllers.find((each) => each.name === name)
  }
  await whenLive(find, destination, signal, reason)
}

/** Connects, and disconnects again when `rollback` runs. */
export async function connect(
  { nqn, address, host, settings }: Destination,
  rollback: Rollback,
  signal: AbortSignal,
  meanwhile = (): void => undefined,
): Promise<FabricsController> {
  const { nqn: hostnqn, id: hostid } = await host
  const options = {
    ...addressOptions(address),
    nqn,
    hostnqn,
    hostid,
    // A controller in this host is not lost.
    ...(address.transport !== 'loop' && { ctrl_loss_tmo: -1 }),
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
      if (name !== undefined) await leaveUnused(name, nqn, new AbortController().signal)
    })
    await orAborted(gone, late)
  })
  meanwhile()
  try {
    return await orAborted(outcome, signal)
  } catch (error) {
    signal.throwIfAborted()
    throw connectError(error, nqn, address)
  }
}

/** Where the controller of a subsystem is, or is to be: an address, and no name that stands for several. */
export type Place = Pick<FabricController, 'subsystemNqn' | 'address'>

/** Takes the locks of all these places: held from before a connect until the first namespace is there, and for a deletion. */
export function lockPlaces(places: readonly Place[], signal: AbortSignal): Promise<Disposable> {
  return lockAll(places.map(placeKey), signal)
}

/** What a place is called by whoever has its lock. */
export function placeKey({ subsystemNqn, address }: Place): string {
  return `controller nvme ${subsystemNqn} ${formatAddress(address)}`
}

/** Disconnects a controller that a call has connected, unless it has other namespaces than these disks, or is used. */
export async function leave(
  controller: FabricController,
  own: readonly NvmeNamespace[],
  signal: AbortSignal,
): Promise<void> {
  if (await hasOthers(controller, own, signal)) return
  if (!(await isUsed(controller, signal))) await deleteController(controller, signal)
}

/** Disconnects a controller that a call has connected, unless it is used. */
async function leaveUnused(name: string, subsystemNqn: string, signal: AbortSignal): Promise<void> {
  const controllers = await readControllers(signal)
  const controller = controllers.find((each) => each.name === name && isOf(each, subsystemNqn))
  if (controller && (await isUsed(controller, signal))) return
  await deleteController(controller ?? { name, subsystemNqn }, signal)
}

/** A discovery controller is asked for by the name of all of them, and may say one of its own. */
function isOf({ subsystemNqn, type }: NvmeController, nqn: string): boolean {
  return subsystemNqn === nqn || (nqn === discoveryNqn && type === 'discovery')
}

/** Whether somebody holds one of its disks exclusively: os-brick joins a controller that is there, and knows none of our locks. */
async function isUsed({ paths }: NvmeController, signal: AbortSignal): Promise<boolean> {
  const used = await together(paths.map(({ namespace }) => isInUse(namespace.path, signal)))
  return used.includes(true)
}

/**
 * Whether the controller has other namespaces than these disks. It is asked itself: the kernel may not have heard yet of
 * one that is new.
 */
export async function hasOthers(
  { name, state, paths }: FabricController,
  own: readonly NvmeNamespace[],
  signal: AbortSignal,
): Promise<boolean> {
  const known = paths.map(({ namespace }) => namespace.namespaceId)
  const numbers = state === 'live' ? await listed(name, known, signal) : known
  return numbers.some((namespaceId) => isOthers({ namespaceId }, own))
}

export function isOthers({ namespaceId }: Pick<NvmeNamespace, 'namespaceId'>, own: readonly NvmeNamespace[]): boolean {
  return !own.some((each) => each.namespaceId === namespaceId)
}

/** A controller that was lost a moment ago cannot be asked. */
async function listed(name: string, known: readonly number[], signal: AbortSignal): Promise<readonly number[]> {
  try {
    return await activeNamespaces(name, signal)
  } catch (error) {
    if (isUnanswered(error)) return known
    throw error
  }
}
