import { handedOut } from '../encryption/linked-volume.ts'
import { architectureOf } from '../fc/architecture.ts'
import type { Architecture } from '../fc/architecture.ts'
import { findPlaced, findVolume, leave } from '../fc/attached.ts'
import { bringPath, volumeKey } from '../fc/path.ts'
import type { FibreChannelPath } from '../fc/path.ts'
import { readFabric } from '../fc/ports.ts'
import { attachedFirst, findRoutes, isSuccessor, routesTo } from '../fc/routes.ts'
import type { Route } from '../fc/routes.ts'
import { formatWwn } from '../fc/wwn.ts'
import { lock } from '../lock.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { readDeviceInfo } from '../properties/device-info.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import { parseFibreChannelProperties } from '../properties/fibre-channel.ts'
import type { FibreChannelProperties } from '../properties/fibre-channel.ts'
import { present } from '../properties/read.ts'
import { byPathName } from '../udev/by-path.ts'
import { parseReady } from '../volume/attach.ts'
import type { VolumeCalls } from '../volume/calls.ts'
import { connectByAll, connectByOne } from '../volume/connect.ts'
import type { Reach } from '../volume/connect.ts'
import { growVolume } from '../volume/growth.ts'
import { stillMissing, stopRejoining } from '../volume/rejoining.ts'
import { release } from '../volume/release.ts'
import { allFailed } from '../volume/ways.ts'
import { waitUntilWritable } from '../volume/writable.ts'
import type { ConnectOptions, DisconnectOptions, ExtendOptions } from './initiator-connector.ts'
import { PlacedVolumeConnector } from './volume-connector.ts'

export interface FibreChannelConnectorOptions {
  /** Attach over all ports at once, and hand out multipathd's map of the paths. By default the first port that works serves. */
  useMultipath?: boolean | undefined
  /** With `useMultipath`: a volume without a map is an error, and not one with a single path. Properties can ask for it, too. */
  enforceMultipath?: boolean | undefined
  /** The machine's architecture, by any name: on IBM Z ('s390x') adapters are told of units in a way of their own. */
  arch?: string | undefined
}

/** Volumes behind Fibre Channel ports. */
export class FibreChannelConnector extends PlacedVolumeConnector {
  readonly #useMultipath: boolean
  readonly #enforceMultipath: boolean
  readonly #architecture: Architecture

  constructor(options: FibreChannelConnectorOptions = {}) {
    super('fc')
    const { useMultipath = false, enforceMultipath = false, arch = process.arch } = options
    this.#useMultipath = useMultipath
    this.#enforceMultipath = enforceMultipath
    this.#architecture = architectureOf(arch)
  }

  protected override volume(properties: unknown): VolumeCalls {
    const volume = parseFibreChannelProperties(properties, (lun, mode) => this.#architecture.kernelLun(lun, mode))
    return handedOut(volume, {
      connect: (options) => this.#connect(volume, options),
      disconnect: (deviceInfo, options) => this.#disconnect(volume, deviceInfo, options),
      extend: (options) => this.#extend(volume, options),
      paths: (options) => this.#paths(volume, options),
    })
  }

  async #connect(volume: FibreChannelProperties, options: ConnectOptions): Promise<DeviceInfo> {
    const ready = parseReady(options.ready)
    stopRejoining(volumeKey(volume))
    const enforce = this.#enforceMultipath || volume.enforceMultipath === true
    return this.#useMultipath
      ? connectByAll(reach(volume, this.#architecture), { ready, enforce }, options)
      : connectByOne(reach(volume, this.#architecture), options)
  }

  async #disconnect(volume: FibreChannelProperties, deviceInfo: unknown, options: DisconnectOptions): Promise<void> {
    const expected = readDeviceInfo(deviceInfo).wwn ?? volume.wwn
    const { force = false, ignoreErrors = false } = options
    using operation = new Operation('fc.disconnectVolume', options)
    stopRejoining(volumeKey(volume))
    using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume), signal))
    const found = await operation.step('find', (signal) => findVolume(volume.targets, expected, signal))
    const { failures, flushed } = await release(found, force, operation)
    await leave(found, flushed, this.#architecture, operation)
    if (failures.length > 0 && !ignoreErrors) throw allFailed(failures)
  }

  async #extend(volume: FibreChannelProperties, options: ExtendOptions): Promise<number> {
    const { expectedBytes } = options
    using operation = new Operation('fc.extendVolume', options)
    using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume), signal))
    const found = await operation.step('find', (signal) => findVolume(volume.targets, volume.wwn, signal))
    return await growVolume(found, expectedBytes, operation)
  }

  async #paths(volume: FibreChannelProperties, options: CallOptions): Promise<string[]> {
    using operation = new Operation('fc.getVolumePaths', options)
    const paths = await operation.step('find', (signal) => findPlaced(volume.targets, signal))
    return paths.map(({ disk }) => disk.path)
  }
}

/** How a volume is reached over a fabric. */
function reach(volume: FibreChannelProperties, architecture: Architecture): Reach<Route, FibreChannelPath> {
  return {
    name: 'fc',
    key: volumeKey(volume),
    async named(operation) {
      const routes = await findRoutes(volume, architecture, operation)
      return operation.step('find', (signal) => attachedFirst(routes, signal))
    },
    all: (routes) => Promise.resolve({ ways: routes, failure: undefined }),
    wwn: volume.wwn,
    bring: (route, patience, operation, wwn) =>
      bringPath({ ...volume, ...present({ wwn }) }, route, architecture, patience, operation),
    async rejoin(missing, { wwn }, operation) {
      const { paths } = await operation.step('find', (signal) => findVolume(volume.targets, wwn, signal))
      if (paths.length === 0) return []
      const fabric = await operation.step('ports', readFabric)
      const routes = routesTo(volume, fabric)
      const successors = missing.map((old) => routes.filter((route) => isSuccessor(route, old)))
      const outOfSight = missing.filter(({ guessed }, index) => !guessed && successors[index]?.length === 0)
      const failed = await stillMissing(successors.flat(), (route) =>
        bringPath({ ...volume, wwn }, route, architecture, operation.share(0.5), operation),
      )
      return [...outOfSight, ...failed]
    },
    whereTo: ({ target, own }) => ({
      portal: formatWwn(target.portName),
      ...(own?.portName && { initiator: formatWwn(own.portName) }),
    }),
    async finish(paths, map, operation) {
      const [first] = paths
      const { readOnly = false } = map?.facts ?? first?.facts ?? {}
      const refusal =
        readOnly && volume.accessMode === 'rw'
          ? await operation.step('writable', (signal) => waitUntilWritable(paths, map, signal))
          : undefined
      if (map || first === undefined) return { refusal }
      const endings = architecture.linkEndings(first.way.target)
      return { refusal, path: await operation.step('name', (signal) => byPathName(first.facts, endings, signal)) }
    },
  }
}
