import { anyOf } from '../abort.ts'
import { isReadable } from '../block/disk.ts'
import { handedOut } from '../encryption/linked-volume.ts'
import type { BrickError } from '../errors.ts'
import { listDirectory } from '../files.ts'
import { findPlaced, findVolume, placesOf } from '../iscsi/attached.ts'
import { interfaceName } from '../iscsi/interface.ts'
import { bringPath, targetKey, volumeKey } from '../iscsi/path.ts'
import type { IscsiPath } from '../iscsi/path.ts'
import { formatPortal } from '../iscsi/portal.ts'
import { leave } from '../iscsi/session-control.ts'
import { discoverTargets, namedTargets } from '../iscsi/targets.ts'
import { lock } from '../lock.ts'
import { requireMultipathd } from '../multipath/assembly.ts'
import { attachMultipath, parseReady } from '../volume/attach.ts'
import type { Ready } from '../volume/attach.ts'
import type { VolumeCalls } from '../volume/calls.ts'
import type { LiveMap } from '../multipath/map.ts'
import { allFailed, inTurn } from '../volume/ways.ts'
import type { FailedWay } from '../volume/ways.ts'
import { asBrickError, Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { readDeviceInfo } from '../properties/device-info.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import { parseIscsiProperties } from '../properties/iscsi.ts'
import type { IscsiProperties, IscsiTarget } from '../properties/iscsi.ts'
import { together } from '../together.ts'
import { growVolume } from '../volume/growth.ts'
import { OutlastingCall } from '../volume/outlasting.ts'
import { seeToTheRest, stillMissing, stopRejoining } from '../volume/rejoining.ts'
import { release } from '../volume/release.ts'
import type { ConnectOptions, DisconnectOptions, ExtendOptions, InitiatorConnector } from './initiator-connector.ts'

const searchPath = '/dev/disk/by-path'

export interface ISCSIConnectorOptions {
  /**
   * What sessions run over: 'default', which is TCP by whatever way routing finds, 'iser', which is RDMA, or the name of
   * one of this host's open-iscsi interfaces, as an adapter has it: 'cxgb4i.00:07:43:06:02:68.ipv4.0'.
   */
  transport?: string | undefined
  /** Attach over all portals at once, and hand out multipathd's map of the paths. By default the first portal that works serves. */
  useMultipath?: boolean | undefined
  /** With `useMultipath`: a volume without a map is an error, and not one with a single path. Properties can ask for it, too. */
  enforceMultipath?: boolean | undefined
}

/** Volumes behind iSCSI targets. */
export class ISCSIConnector implements InitiatorConnector {
  readonly #transport: string
  readonly #useMultipath: boolean
  readonly #enforceMultipath: boolean

  constructor(options: ISCSIConnectorOptions = {}) {
    const { transport = 'default', useMultipath = false, enforceMultipath = false } = options
    this.#transport = interfaceName(transport, 'transport')
    this.#useMultipath = useMultipath
    this.#enforceMultipath = enforceMultipath
  }

  async connectVolume(properties: unknown, options: ConnectOptions = {}): Promise<DeviceInfo> {
    return await this.#calls(properties).connect(options)
  }

  async disconnectVolume(properties: unknown, deviceInfo?: unknown, options: DisconnectOptions = {}): Promise<void> {
    await this.#calls(properties).disconnect(deviceInfo, options)
  }

  async extendVolume(properties: unknown, options: ExtendOptions = {}): Promise<number> {
    return await this.#calls(properties).extend(options)
  }

  async getVolumePaths(properties: unknown, options: CallOptions = {}): Promise<string[]> {
    return await this.#calls(properties).paths(options)
  }

  #calls(properties: unknown): VolumeCalls {
    const volume = parseIscsiProperties(properties)
    return handedOut(volume, {
      connect: (options) => this.#connect(volume, options),
      disconnect: (deviceInfo, options) => this.#disconnect(volume, deviceInfo, options),
      extend: (options) => this.#extend(volume, options),
      paths: (options) => this.#paths(volume, options),
    })
  }

  async #connect(volume: IscsiProperties, options: ConnectOptions): Promise<DeviceInfo> {
    const ready = parseReady(options.ready)
    stopRejoining(volumeKey(volume))
    const enforce = this.#enforceMultipath || volume.enforceMultipath === true
    return this.#useMultipath
      ? overAll(volume, this.#transport, ready, enforce, options)
      : overOne(volume, this.#transport, options)
  }

  async #disconnect(volume: IscsiProperties, deviceInfo: unknown, options: DisconnectOptions): Promise<void> {
    const expected = readDeviceInfo(deviceInfo).wwn ?? volume.wwn
    const { force = false, ignoreErrors = false } = options
    using operation = new Operation('iscsi.disconnectVolume', options)
    stopRejoining(volumeKey(volume))
    using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume), signal))
    const targets = await namedTargets(volume, this.#transport, operation)
    const found = await operation.step('find', (signal) => findVolume(targets, expected, signal))
    const { failures, flushed } = await release(found, force, operation)
    await together(
      placesOf(found, targets).map(async (place) => {
        using _target = await operation.step('lock', (signal) => lock(targetKey(place.target), signal))
        await leave(place, flushed, operation)
      }),
    )
    if (failures.length > 0 && !ignoreErrors) throw allFailed(failures)
  }

  async #extend(volume: IscsiProperties, options: ExtendOptions): Promise<number> {
    const { expectedBytes } = options
    using operation = new Operation('iscsi.extendVolume', options)
    using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume), signal))
    const targets = await namedTargets(volume, this.#transport, operation)
    const found = await operation.step('find', (signal) => findVolume(targets, volume.wwn, signal))
    return await growVolume(found, expectedBytes, operation)
  }

  async #paths(volume: IscsiProperties, options: CallOptions): Promise<string[]> {
    using operation = new Operation('iscsi.getVolumePaths', options)
    const targets = await namedTargets(volume, this.#transport, operation)
    const paths = await operation.step('find', (signal) => findPlaced(targets, signal))
    return paths.map(({ disk }) => disk.path)
  }

  /** Every link in the folder where udev names devices by their place, whatever they are: so does os-brick. */
  async getAllAvailableVolumes(_properties?: unknown, options: CallOptions = {}): Promise<string[]> {
    using operation = new Operation('iscsi.getAllAvailableVolumes', options)
    return await operation.step('list', async (signal) => {
      const names = (await listDirectory(searchPath, signal)) ?? []
      return names.map((name) => `${searchPath}/${name}`)
    })
  }

  getSearchPath(): string {
    return searchPath
  }

  /** Whether the device answers a read that no cache can serve. */
  async checkValidDevice(path: string, options: CallOptions = {}): Promise<boolean> {
    using operation = new Operation('iscsi.checkValidDevice', options)
    return await operation.step('read', (signal) => isReadable(path, signal))
  }
}

async function overOne(volume: IscsiProperties, transport: string, options: ConnectOptions): Promise<DeviceInfo> {
  using operation = new Operation('iscsi.connectVolume', options)
  using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume), signal))
  const path = await firstPath(volume, await namedTargets(volume, transport, operation), operation)
  return describe({ paths: [path], expected: 1 }, operation)
}

/** The targets in turn, until one works. */
function firstPath(volume: IscsiProperties, targets: readonly IscsiTarget[], operation: Operation): Promise<IscsiPath> {
  return inTurn(targets, (target, patience) => bringPath(volume, target, patience, operation), operation)
}

/**
 * All targets at once. What is still being tried when the call returns goes on within the call's time, and with the
 * volume's lock; what has failed is tried again later.
 */
async function overAll(
  volume: IscsiProperties,
  transport: string,
  ready: Ready,
  enforce: boolean,
  options: ConnectOptions,
): Promise<DeviceInfo> {
  using call = new OutlastingCall('iscsi.connectVolume', options)
  const { operation, stop } = call
  call.hold(await operation.step('lock', (waiting) => lock(volumeKey(volume), waiting)))
  const named = await namedTargets(volume, transport, operation)
  const absence = await absenceOfMultipathd(enforce, operation)
  if (absence) {
    const path = await firstPath(volume, named, operation)
    return describe({ paths: [path], expected: named.length, refusals: [absence] }, operation)
  }
  const { targets, failure } = await allTargets(volume, named, operation)
  const bring = (target: IscsiTarget, giveUp: AbortSignal): Promise<IscsiPath> =>
    bringPath(volume, target, anyOf(giveUp, operation.share(0.5)), operation)
  const { ways, map, refusal } = await attachMultipath(targets, bring, { ready, enforce }, operation)
  call.lastUntil(ways.settled)
  void seeToTheRest(ways, stop, {
    key: volumeKey(volume),
    name: 'iscsi.rejoin',
    retry: (missing, { wwn }, again) => rejoin({ ...volume, wwn }, missing, again),
  })
  const refusals = [failure, refusal].filter((error) => error !== undefined)
  return describe({ paths: ways.up, map, expected: targets.length, failed: ways.failed, refusals }, operation)
}

/** The targets that are still missing; none when the volume has gone meanwhile. */
async function rejoin(
  volume: IscsiProperties,
  missing: readonly IscsiTarget[],
  operation: Operation,
): Promise<readonly IscsiTarget[]> {
  const { paths } = await operation.step('find', (signal) => findVolume(missing, volume.wwn, signal))
  if (paths.length === 0) return []
  return stillMissing(missing, (target) => bringPath(volume, target, operation.share(0.5), operation))
}

/** Why there will be no map; undefined when a multipathd runs. @throws BrickError MULTIPATH_FAILED if `enforce` */
async function absenceOfMultipathd(enforce: boolean, operation: Operation): Promise<BrickError | undefined> {
  try {
    await operation.step('multipathd', requireMultipathd)
    return undefined
  } catch (error) {
    const absence = asBrickError(error, 'multipathd')
    if (enforce || absence.code !== 'MULTIPATH_FAILED') throw absence
    return absence
  }
}

async function allTargets(
  volume: IscsiProperties,
  named: readonly IscsiTarget[],
  operation: Operation,
): Promise<{ targets: readonly IscsiTarget[]; failure: BrickError | undefined }> {
  return volume.discovery ? discoverTargets(volume, named, operation) : { targets: named, failure: undefined }
}

/** What an attach has brought about. */
interface Attached {
  /** At least one. */
  readonly paths: readonly IscsiPath[]
  readonly map?: LiveMap | undefined
  /** How many paths there could be. */
  readonly expected: number
  readonly failed?: readonly FailedWay<IscsiTarget>[]
  /** What else did not go as it should. */
  readonly refusals?: readonly BrickError[]
}

function describe({ paths, map, expected, failed = [], refusals = [] }: Attached, operation: Operation): DeviceInfo {
  const [first] = paths
  if (first === undefined) throw new RangeError('no path')
  const { path, facts } = map ?? { path: first.disk.path, facts: first.facts }
  return {
    type: 'block',
    path,
    scsi_wwn: first.wwn,
    ...(map && { multipath_id: map.wwid }),
    paths: paths.map(({ disk, unit, target }) => ({
      path: disk.path,
      hctl: unit.hctl,
      portal: formatPortal(target.portal),
    })),
    expected_paths: expected,
    degraded: paths.length < expected || refusals.length > 0,
    failures: [
      ...failed.map(({ way, error: { code, message } }) => ({ portal: formatPortal(way.portal), code, message })),
      ...refusals.map(({ code, message }) => ({ portal: null, code, message })),
    ],
    identity: { source: 'vpd', value: first.wwn, devno: `${facts.major}:${facts.minor}`, diskseq: facts.diskSequence },
    size: facts.size,
    timings: operation.trace.timings,
  }
}
