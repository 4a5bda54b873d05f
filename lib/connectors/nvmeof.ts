import { flush, refuseInUse } from '../block/disk.ts'
import { handedOut } from '../encryption/linked-volume.ts'
import { BrickError } from '../errors.ts'
import { readFile, resolvePath } from '../files.ts'
import { nvmeHost } from '../host/nvme-host.ts'
import type { NvmeHost } from '../host/nvme-host.ts'
import { lock } from '../lock.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { isUnanswered } from '../nvme/admin.ts'
import { hasPathTo, ownControllers } from '../nvme/attached.ts'
import type { AttachedNamespace, FabricController } from '../nvme/attached.ts'
import { formatPlace, leadsTo } from '../nvme/address.ts'
import type { Destination } from '../nvme/controller.ts'
import type { NvmeNamespace } from '../nvme/controllers.ts'
import { Departure } from '../nvme/departure.ts'
import { growNamespace } from '../nvme/growth.ts'
import { isNamed, isStillSame, namespacesAmong } from '../nvme/namespace.ts'
import type { KnownNamespace } from '../nvme/namespace.ts'
import { bringUp } from '../nvme/path.ts'
import type { NvmeWay } from '../nvme/path.ts'
import { readDeviceInfo } from '../properties/device-info.ts'
import type { DeviceInfo, KnownDevice } from '../properties/device-info.ts'
import { parseNvmeofProperties, parseNvmeSettings } from '../properties/nvmeof.ts'
import type { NvmeConnectSettings, NvmeofProperties, NvmeTarget } from '../properties/nvmeof.ts'
import { Mirror } from '../raid/mirror.ts'
import { orUndone, undone } from '../rollback.ts'
import { together } from '../together.ts'
import { attempts } from '../volume/attempts.ts'
import { parseReady } from '../volume/attach.ts'
import type { Ready } from '../volume/attach.ts'
import type { VolumeCalls } from '../volume/calls.ts'
import { OutlastingCall } from '../volume/outlasting.ts'
import { seeToTheRest, stillMissing, stopRejoining } from '../volume/rejoining.ts'
import { allFailed, inTurn, refuseDisagreement, Ways } from '../volume/ways.ts'
import type { FailedWay } from '../volume/ways.ts'
import type { ConnectOptions, DisconnectOptions, ExtendOptions } from './initiator-connector.ts'
import { VolumeConnector } from './volume-connector.ts'

export interface NVMeOFConnectorOptions {
  /**
   * Connect at all portals at once; the kernel makes one device of them. By default the first portal that works serves.
   */
  useMultipath?: boolean | undefined
  /** With `useMultipath`: a kernel that makes one device of each path is an error. Properties can ask for it, too. */
  enforceMultipath?: boolean | undefined
  /** How this host connects, as far as the properties do not say it. */
  settings?: NvmeConnectSettings | undefined
}

/** Namespaces of NVMe subsystems that are reached over a fabric, and mirrors that this host makes of several. */
export class NVMeOFConnector extends VolumeConnector {
  readonly #useMultipath: boolean
  readonly #enforceMultipath: boolean
  readonly #settings: NvmeConnectSettings

  constructor({ useMultipath = false, enforceMultipath = false, settings = {} }: NVMeOFConnectorOptions = {}) {
    super('nvmeof')
    this.#useMultipath = useMultipath
    this.#enforceMultipath = enforceMultipath
    parseNvmeSettings(settings)
    this.#settings = { ...settings }
  }

  protected override volume(properties: unknown): VolumeCalls {
    const volume = parseNvmeofProperties(properties, this.#settings)
    const namespaces = volume.targets.map((target): VolumeCalls => {
      const leg = { ...volume, target }
      return {
        connect: (options) => this.#connect(leg, options),
        disconnect: (deviceInfo, options) => this.#disconnect(leg, deviceInfo, options),
        extend: (options) => this.#extend(leg, options),
        paths: (options) => this.#paths(leg, options),
      }
    })
    const [only] = namespaces
    const whole = volume.replication ? new Mirror(volume.replication, namespaces) : only
    if (whole === undefined) throw new RangeError('no target')
    return handedOut(volume, whole)
  }

  async #connect(volume: Volume, options: ConnectOptions): Promise<DeviceInfo> {
    const ready = parseReady(options.ready)
    stopRejoining(volumeKey(volume.target))
    return this.#useMultipath ? await this.#connectByAll(volume, ready, options) : await connectByOne(volume, options)
  }

  async #connectByAll(volume: Volume, ready: Ready, options: CallOptions): Promise<DeviceInfo> {
    using call = new OutlastingCall('nvmeof.connectVolume', options)
    const { operation, stop } = call
    const host = ownHost(volume, operation)
    call.hold(await operation.step('lock', (waiting) => lock(volumeKey(volume.target), waiting)))
    const destinations = destinationsOf(volume, host)
    if (!(await this.#atOnce(volume, operation))) return await byFirstWay(destinations, volume.target, operation)
    const ways = await allWays(destinations, volume.target, ready, operation)
    // What is still being tried goes on with the volume's lock.
    call.lastUntil(ways.settled)
    const found = operation.step('paths', (signal) => ownControllers(volume.target.nqn, host, signal))
    const controllers = await orUndone(found, () => {
      stop.abort()
      return ways.undo()
    })
    void seeToTheRest(ways, stop, {
      key: volumeKey(volume.target),
      name: 'nvmeof.rejoin',
      retry: (missing, { namespace }, again) => rejoin(missing, namespace.wwid, again),
    })
    return describe({ ways: ways.up, expected: destinations.length, failed: ways.failed }, controllers, operation)
  }

  async #disconnect(volume: Volume, deviceInfo: unknown, options: DisconnectOptions): Promise<void> {
    // The node that a mirror's properties name is the mirror's own.
    const device = readDeviceInfo(deviceInfo, volume.replication ? undefined : volume.devicePath)
    const { force = false, ignoreErrors = false } = options
    stopRejoining(volumeKey(volume.target))
    using operation = new Operation('nvmeof.disconnectVolume', options)
    using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume.target), signal))
    const found = await operation.step('find', (signal) => findVolume(volume, device, signal))
    using departure = new Departure(found)
    const [failures] = await together([release(found, force, operation), departure.prepare(operation)])
    await departure.complete(operation)
    if (failures.length > 0 && !ignoreErrors) throw allFailed(failures)
  }

  async #extend(volume: Volume, options: ExtendOptions): Promise<number> {
    const { expectedBytes } = options
    using operation = new Operation('nvmeof.extendVolume', options)
    using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume.target), signal))
    const found = await operation.step('find', (signal) => findVolume(volume, noDevice, signal))
    return await growNamespace(found, expectedBytes, operation)
  }

  async #paths(volume: Volume, options: CallOptions): Promise<string[]> {
    using operation = new Operation('nvmeof.getVolumePaths', options)
    const { namespaces } = await operation.step('find', (signal) => findVolume(volume, noDevice, signal))
    return namespaces.map(({ path }) => path)
  }

  /** Whether the kernel makes one device of all paths. @throws BrickError MULTIPATH_FAILED */
  async #atOnce(volume: NvmeofProperties, operation: Operation): Promise<boolean> {
    const native = await operation.step('multipath', hasNativeMultipath)
    if (native || !(this.#enforceMultipath || volume.enforceMultipath === true)) return native
    throw new BrickError('MULTIPATH_FAILED', "the kernel's NVMe multipath is switched off (nvme_core.multipath)")
  }
}

interface Volume extends NvmeofProperties {
  readonly target: NvmeTarget
}

/** All calls for one volume meet here. */
function volumeKey({ nqn, uuid, nguid, eui64, namespaceId }: NvmeTarget): string {
  return `volume nvme ${nqn} ${uuid?.replaceAll('-', '') ?? nguid ?? eui64 ?? namespaceId ?? ''}`
}

const noDevice: KnownDevice = { wwn: undefined, path: undefined }

async function hasNativeMultipath(signal: AbortSignal): Promise<boolean> {
  const setting = await readFile('sysfs', '/sys/module/nvme_core/parameters/multipath', signal)
  return setting?.toString().trim() === 'Y'
}

async function connectByOne(volume: Volume, options: CallOptions): Promise<DeviceInfo> {
  using operation = new Operation('nvmeof.connectVolume', options)
  const host = ownHost(volume, operation)
  using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume.target), signal))
  return await byFirstWay(destinationsOf(volume, host), volume.target, operation)
}

/** Read while there is something else to do. */
function ownHost(volume: Volume, operation: Operation): Promise<NvmeHost> {
  const host = operation.step('host', (signal) => nvmeHost(volume, signal))
  host.catch(() => undefined) // whoever needs it hears of it
  return host
}

function destinationsOf({ target: { nqn, addresses }, settings }: Volume, host: Promise<NvmeHost>): Destination[] {
  return addresses.map((address) => ({ nqn, address, host, settings }))
}

/** The portals in turn, until one works; those first that are connected already. */
async function byFirstWay(
  destinations: readonly Destination[],
  target: NvmeTarget,
  operation: Operation,
): Promise<DeviceInfo> {
  const ordered = await operation.step('controllers', (signal) => connectedFirst(destinations, signal))
  const bring = (destination: Destination, patience: AbortSignal): Promise<NvmeWay> =>
    bringUp(destination, target, patience, operation)
  const way = await inTurn(ordered, bring, operation)
  return describe({ ways: [way], expected: 1, failed: [] }, way.controllers, operation)
}

async function connectedFirst(destinations: readonly Destination[], signal: AbortSignal): Promise<Destination[]> {
  const [first] = destinations
  if (first === undefined || destinations.length === 1) return [...destinations]
  const controllers = await ownControllers(first.nqn, first.host, signal)
  const isLive = ({ address }: Destination): boolean =>
    controllers.some((each) => each.state === 'live' && leadsTo(each.address, address))
  return [...destinations.filter(isLive), ...destinations.filter((destination) => !isLive(destination))]
}

/** All portals at once; nothing is left changed when none of them works. */
async function allWays(
  destinations: readonly Destination[],
  target: NvmeTarget,
  ready: Ready,
  operation: Operation,
): Promise<Ways<Destination, NvmeWay>> {
  const giveUp = new AbortController()
  const bring = (destination: Destination): Promise<NvmeWay> =>
    bringUp(destination, target, AbortSignal.any([giveUp.signal, operation.share(0.5)]), operation)
  const isSame = (way: NvmeWay, first: NvmeWay | undefined): boolean =>
    first === undefined || first.namespace.name === way.namespace.name
  const ways = new Ways(destinations, bring, isSame)
  try {
    await ways.first
    if (ready === 'all') await ways.settled
    refuseDisagreement(ways)
    operation.signal.throwIfAborted()
    return ways
  } catch (error) {
    giveUp.abort(new BrickError('ABORTED', 'the attach has failed'))
    throw await undone(error, 'attach', () => ways.undo())
  }
}

/** The portals that are still missing; none when the volume has gone meanwhile. */
async function rejoin(
  missing: readonly Destination[],
  wwid: string,
  operation: Operation,
): Promise<readonly Destination[]> {
  const [first] = missing
  if (first === undefined) return []
  const controllers = await operation.step('find', (signal) => ownControllers(first.nqn, first.host, signal))
  if (namespacesAmong(controllers, { wwid }).length === 0) return []
  return stillMissing(missing, (destination) => bringUp(destination, { wwid }, operation.share(0.5), operation))
}

/** @throws BrickError IDENTITY_MISMATCH when it may be any of several */
async function findVolume(volume: Volume, device: KnownDevice, signal: AbortSignal): Promise<AttachedNamespace> {
  const { target } = volume
  const controllers = await ownControllers(target.nqn, nvmeHost(volume, signal), signal)
  const known = isNamed(target) ? target : await knownBy(device, controllers, signal)
  const namespaces = known ? namespacesAmong(controllers, known) : []
  const another = namespaces.find(({ wwid }) => device.wwn !== undefined && device.wwn !== wwid)
  if (another === undefined) return { controllers, namespaces }
  throw new BrickError('IDENTITY_MISMATCH', `${another.path} is ${another.wwid}, not ${device.wwn ?? ''}`, {
    details: { device: another.path, expected: device.wwn, found: another.wwid },
  })
}

/**
 * What a device info knows of a volume that its properties do not name. Undefined when its path leads to none of these
 * controllers' namespaces: the backend has taken the volume back, and what they still have are others.
 */
async function knownBy(
  { wwn, path }: KnownDevice,
  controllers: readonly FabricController[],
  signal: AbortSignal,
): Promise<KnownNamespace | undefined> {
  if (wwn !== undefined || path === undefined) return { wwid: wwn }
  // It may be a link of udev's.
  const node = (await resolvePath(path, signal)) ?? path
  const namespaces = controllers.flatMap(({ paths }) => paths.map(({ namespace }) => namespace))
  const found = namespaces.find((namespace) => namespace.path === node)
  return found && { wwid: found.wwid }
}

/** Makes sure that nobody uses the volume and that all is written. Returns what would have been errors without `force`. */
async function release(found: AttachedNamespace, force: boolean, operation: Operation): Promise<BrickError[]> {
  const { attempt, failures } = attempts(force, operation)
  await together(
    found.namespaces.map(async (namespace) => {
      // Both at once. What has become another volume must not be written to.
      const [, same] = await together([
        attempt('use', (signal) => refuseInUse(namespace.path, signal)),
        attempt('identity', (signal) => isUnchanged(namespace, found, signal)),
      ])
      if (same === true) await attempt('flush', (signal) => flush(namespace.path, signal))
    }),
  )
  return failures
}

/**
 * Whether it still is the volume that the kernel noted; what its controllers do not show any more is not.
 *
 * @throws BrickError FLUSH_FAILED when no controller can tell
 */
async function isUnchanged(
  namespace: NvmeNamespace,
  { controllers }: AttachedNamespace,
  signal: AbortSignal,
): Promise<boolean> {
  let hidden = false
  for (const { name } of controllers.filter((each) => each.state === 'live' && hasPathTo(each, [namespace]))) {
    try {
      const same = await isStillSame(name, namespace, signal)
      if (same !== undefined) return same
      // Another one may show it all the same.
      hidden = true
    } catch (error) {
      // Lost since it was found to be live, it leaves the question to the next.
      if (!isUnanswered(error)) throw error
    }
  }
  if (hidden) return false
  // Whoever flushes it waits until a controller is back, which may be never.
  throw new BrickError('FLUSH_FAILED', `${namespace.path}: no controller that leads to it answers`, {
    details: { device: namespace.path },
  })
}

interface Attached {
  /** At least one. */
  readonly ways: readonly NvmeWay[]
  readonly expected: number
  readonly failed: readonly FailedWay<Destination>[]
}

function describe(
  { ways, expected, failed }: Attached,
  controllers: readonly FabricController[],
  operation: Operation,
): DeviceInfo {
  const [first] = ways
  if (first === undefined) throw new RangeError('no path')
  const { namespace, facts } = first
  const leading = controllers.filter((each) => hasPathTo(each, [namespace]))
  return {
    type: 'block',
    path: namespace.path,
    paths: leading.map(({ name, address, tls, paths }) => ({
      path: namespace.path,
      portal: formatPlace(address),
      controller: name,
      ana_state: paths.find((path) => path.namespace.name === namespace.name)?.anaState ?? null,
      tls,
    })),
    expected_paths: expected,
    degraded: ways.length < expected,
    failures: failed.map(({ way, error: { code, message } }) => ({
      portal: formatPlace(way.address),
      code,
      message,
    })),
    identity: {
      source: 'nvme',
      value: namespace.wwid,
      devno: `${facts.major}:${facts.minor}`,
      diskseq: facts.diskSequence,
    },
    size: facts.size,
    timings: operation.trace.timings,
  }
}
