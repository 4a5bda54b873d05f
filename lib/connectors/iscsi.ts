import { handedOut } from '../encryption/linked-volume.ts'
import { findPlaced, findVolume, placesOf } from '../iscsi/attached.ts'
import { interfaceName } from '../iscsi/interface.ts'
import { bringPath, volumeKey } from '../iscsi/path.ts'
import type { IscsiPath } from '../iscsi/path.ts'
import { formatPortal } from '../iscsi/portal.ts'
import { leave, leaveStrays, leaveToOthers } from '../iscsi/session-control.ts'
import { discoverTargets, namedTargets } from '../iscsi/targets.ts'
import { lock } from '../lock.ts'
import { parseReady } from '../volume/attach.ts'
import type { VolumeCalls } from '../volume/calls.ts'
import { connectByAll, connectByOne } from '../volume/connect.ts'
import type { Reach } from '../volume/connect.ts'
import { allFailed } from '../volume/ways.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { readDeviceInfo } from '../properties/device-info.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import { parseIscsiProperties } from '../properties/iscsi.ts'
import type { IscsiProperties, IscsiTarget } from '../properties/iscsi.ts'
import { present } from '../properties/read.ts'
import { together } from '../together.ts'
import { growVolume } from '../volume/growth.ts'
import { stillMissing, stopRejoining } from '../volume/rejoining.ts'
import { release } from '../volume/release.ts'
import type { ConnectOptions, DisconnectOptions, ExtendOptions } from './initiator-connector.ts'
import { PlacedVolumeConnector } from './volume-connector.ts'

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
export class ISCSIConnector extends PlacedVolumeConnector {
  readonly #transport: string
  readonly #useMultipath: boolean
  readonly #enforceMultipath: boolean

  constructor(options: ISCSIConnectorOptions = {}) {
    super('iscsi')
    const { transport = 'default', useMultipath = false, enforceMultipath = false } = options
    this.#transport = interfaceName(transport, 'transport')
    this.#useMultipath = useMultipath
    this.#enforceMultipath = enforceMultipath
  }

  protected override volume(properties: unknown): VolumeCalls {
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
      ? connectByAll(reach(volume, this.#transport), { ready, enforce }, options)
      : connectByOne(reach(volume, this.#transport), options)
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
    const { places, strays } = placesOf(found, targets)
    await together([
      ...places.map(async (place) => {
        if (!(await leaveToOthers(place, flushed, operation))) await leave(place, flushed, operation)
      }),
      leaveStrays(strays, flushed, operation),
    ])
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
}

/** How a volume is reached over sessions with its targets. */
function reach(volume: IscsiProperties, transport: string): Reach<IscsiTarget, IscsiPath> {
  return {
    name: 'iscsi',
    key: volumeKey(volume),
    named: (operation) => namedTargets(volume, transport, operation),
    all: async (named, operation) =>
      volume.discovery ? discoverTargets(volume, named, operation) : { ways: named, failure: undefined },
    wwn: volume.wwn,
    bring: (target, patience, operation, wwn) =>
      bringPath({ ...volume, ...present({ wwn }) }, target, patience, operation),
    async rejoin(missing, { wwn }, operation) {
      // At a guessed place there may be another volume.
      const named = missing.filter(({ guessed }) => guessed !== true)
      const { paths } = await operation.step('find', (signal) => findVolume(named, wwn, signal))
      if (paths.length === 0) return []
      return stillMissing(missing, (target) => bringPath({ ...volume, wwn }, target, operation.share(0.5), operation))
    },
    whereTo: ({ portal }) => ({ portal: formatPortal(portal) }),
  }
}
