import type { DeviceFacts } from '../binding.ts'
import { factsWhenOpen } from '../block/disk.ts'
import { BrickError } from '../errors.ts'
import { asBrickError } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { Rollback, withLeftovers } from '../rollback.ts'
import type { Leftover } from '../rollback.ts'
import { Watch } from '../wait.ts'
import { activeNamespaces, namespaceNames } from './admin.ts'
import { formatAddress } from './address.ts'
import type { NvmeAddress } from './address.ts'
import { ownControllers } from './attached.ts'
import type { FabricController } from './attached.ts'
import type { NvmeNamespace } from './controllers.ts'
import { leave, lockPlaces, openController, placesOf } from './controller.ts'
import type { Destination, OpenController } from './controller.ts'
import { rescanController } from './fabrics.ts'
import { ambiguous, hasNames, isNamed, isStillSame, namespacesAmong } from './namespace.ts'
import type { KnownNamespace } from './namespace.ts'

/** One way to a volume that is up. */
export interface NvmeWay {
  readonly address: NvmeAddress
  readonly controller: string
  readonly namespace: NvmeNamespace
  readonly facts: DeviceFacts
  /** All of this host's controllers of the subsystem, as they were when this way came up. */
  readonly controllers: readonly FabricController[]
  /** Takes back what bringing it up has changed. */
  undo(): Promise<Leftover[]>
}

/**
 * Connects to a volume's subsystem at one address, if need be, and finds its namespace. A failure leaves nothing changed.
 *
 * @param patience for how long the portal may take to answer, its controller to be free and the namespace to be there
 */
export async function bringUp(
  destination: Destination,
  known: KnownNamespace,
  patience: AbortSignal,
  operation: Operation,
): Promise<NvmeWay> {
  // The locks are those of addresses: who comes by another name, or leaves, knows of no name.
  const places = await operation.step('resolve', () => placesOf(destination.address, patience))
  using turn = await operation.step('lock', () => lockDestination(destination, places, patience))
  using news = new DiskNews()
  const rollback = new Rollback()
  try {
    const listen = (): void => {
      news.open()
    }
    const controller = await openController(destination, places, turn, listen, patience, operation, rollback)
    const found = await operation.step('namespace', () => whenThere(destination, controller, known, news, patience))
    const { name, fresh } = controller
    // Of a controller that was there before, the kernel's notes may be old.
    if (!fresh) await operation.step('verify', () => refuseAnother(name, found.namespace, patience))
    const undo = (): Promise<Leftover[]> =>
      fresh ? takeDown(destination, places, name, found.namespace, operation) : nothing
    return { address: destination.address, controller: name, ...found, undo }
  } catch (error) {
    throw withLeftovers(asBrickError(error, 'attach'), await rollback.run(operation))
  }
}

const nothing = Promise.resolve([])

function lockDestination(
  { nqn }: Destination,
  places: readonly NvmeAddress[],
  signal: AbortSignal,
): Promise<Disposable> {
  return lockPlaces(
    places.map((address) => ({ subsystemNqn: nqn, address })),
    signal,
  )
}

/** Once its lock is given back, others may use a controller that this call has connected. */
async function takeDown(
  destination: Destination,
  places: readonly NvmeAddress[],
  name: string,
  namespace: NvmeNamespace,
  operation: Operation,
): Promise<Leftover[]> {
  const step = 'undo connect'
  try {
    await operation.cleanup(step, async (signal) => {
      using _places = await lockDestination(destination, places, signal)
      const controllers = await ownControllers(destination.nqn, destination.host, signal)
      const controller = controllers.find((each) => each.name === name)
      if (controller) await leave(controller, [namespace], signal)
    })
    return []
  } catch (error) {
    return [{ step, error }]
  }
}

/** Milliseconds between looks for what is not announced, until the usual ones begin. */
const intervals = [20, 40, 80, 160, 320]

/** Listens for what the kernel tells of a controller, and of the disks of its subsystem. */
class DiskNews implements Disposable {
  #names: readonly string[] = ['nvme']
  #silent = true
  #announced: string | undefined
  #watch: Watch | undefined

  /** Best done while the kernel is busy otherwise. */
  open(): Watch {
    return (this.#watch ??= new Watch('kernel', ['/nvme'], (event) => {
      if (!this.#names.some((name) => event.mentions(`/${name}`))) return false
      if (event.subsystem === 'block') this.#announced ??= `/dev/${event.property('DEVNAME') ?? ''}`
      return true
    }))
  }

  /** The first disk that something was told of. */
  get announced(): string | undefined {
    return this.#announced
  }

  /** From now on only the controller and its subsystem count, to which others lead as well or not. */
  narrow({ name, subsystem }: FabricController, shared: boolean): void {
    this.#names = subsystem === null ? [name] : [name, `${subsystem}/`]
    this.#silent = shared
  }

  /** As `Watch.until`. A path that joins others to a disk that is there already is one that the kernel does not announce. */
  async until<T>(look: () => Promise<T | undefined>, signal: AbortSignal, resync: typeof look): Promise<T> {
    const soon = (looks: number): number | undefined => (this.#silent ? intervals[looks - 1] : undefined)
    return await this.open().until(look, signal, resync, soon)
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]()
  }
}

type Found = Pick<NvmeWay, 'namespace' | 'facts' | 'controllers'>

/**
 * The namespace as soon as it has a disk that can be opened. The kernel looks for namespaces by itself when it has
 * connected, and when the controller tells of a change; not every controller does.
 */
async function whenThere(
  { nqn, host, address }: Destination,
  { name, fresh }: OpenController,
  known: KnownNamespace,
  news: DiskNews,
  signal: AbortSignal,
): Promise<Found> {
  const wanted = isNamed(known) ? known : { namespaceId: await onlyNamespace(name, signal) }
  let early = fresh
  const look = async (): Promise<Found | undefined> => {
    // The kernel has only begun to look for namespaces.
    const { announced } = news
    const tooEarly = early && announced === undefined
    early = false
    if (tooEarly) return undefined
    const walk = ownControllers(nqn, host, signal)
    // Most often it is the one: it is opened while the kernel is asked.
    const opened = announced === undefined ? undefined : factsWhenOpen(announced, signal)
    opened?.catch(() => undefined)
    const controllers = await walk
    const controller = controllers.find((each) => each.name === name)
    if (!controller) throw new BrickError('LOGIN_FAILED', `${formatAddress(address)}, ${nqn}: the controller has gone`)
    news.narrow(controller, controllers.length > 1)
    const [namespace] = namespacesAmong([controller], wanted)
    const facts = namespace && (await (namespace.path === announced ? opened : factsWhenOpen(namespace.path, signal)))
    return facts && { namespace, facts, controllers }
  }
  const askAgain = async (): Promise<undefined> => {
    await refuseAbsent(name, wanted, signal)
    await rescanController(name, signal)
  }
  if (!fresh) {
    const found = await look()
    if (found) return found
    await askAgain()
  }
  return await news.until(look, signal, askAgain)
}

/** The number of the only namespace that the controller has. @throws BrickError LUN_NOT_MAPPED, IDENTITY_MISMATCH */
async function onlyNamespace(controller: string, signal: AbortSignal): Promise<number> {
  const [first, ...others] = await activeNamespaces(controller, signal)
  if (first === undefined) throw absent(controller)
  if (others.length > 0) throw ambiguous([first, ...others])
  return first
}

/** @throws BrickError LUN_NOT_MAPPED when the controller knows no such namespace for this host */
async function refuseAbsent(controller: string, known: KnownNamespace, signal: AbortSignal): Promise<void> {
  for (const namespaceId of await activeNamespaces(controller, signal)) {
    const names = await namespaceNames(controller, namespaceId, signal)
    if (names === null) continue
    // Whether one without names is the one, only the kernel's name for it can tell.
    if ((names.uuid ?? names.nguid ?? names.eui64) === null || hasNames({ namespaceId, ...names }, known)) return
  }
  throw absent(controller)
}

function absent(controller: string): BrickError {
  return new BrickError('LUN_NOT_MAPPED', `${controller} shows no such namespace to this host`, {
    details: { controller },
  })
}

async function refuseAnother(controller: string, namespace: NvmeNamespace, signal: AbortSignal): Promise<void> {
  const same = await isStillSame(controller, namespace, signal)
  if (same === undefined) throw absent(controller)
  if (same) return
  throw new BrickError('IDENTITY_MISMATCH', `${namespace.path} was ${namespace.wwid} and is another volume now`, {
    details: { device: namespace.path, noted: namespace.wwid },
  })
}
