import { isReadable } from '../block/disk.ts'
import { counted } from '../metrics.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import { byPath, listByPath } from '../udev/by-path.ts'
import type { VolumeCalls } from '../volume/calls.ts'
import type { ConnectOptions, DisconnectOptions, ExtendOptions, InitiatorConnector } from './initiator-connector.ts'

/** What all connectors have in common: they know what to do with a volume once its properties are parsed. */
export abstract class VolumeConnector implements InitiatorConnector {
  readonly #name: string

  /** @param name what the operations are named after, such as 'iscsi' */
  constructor(name: string) {
    this.#name = name
  }

  /** What can be done with the volume that these properties describe. @throws BrickError INVALID_ARGUMENT */
  protected abstract volume(properties: unknown): VolumeCalls

  async connectVolume(properties: unknown, options: ConnectOptions = {}): Promise<DeviceInfo> {
    return await this.#counted('connectVolume', () => this.volume(properties).connect(options))
  }

  async disconnectVolume(properties: unknown, deviceInfo?: unknown, options: DisconnectOptions = {}): Promise<void> {
    await this.#counted('disconnectVolume', () => this.volume(properties).disconnect(deviceInfo, options))
  }

  async extendVolume(properties: unknown, options: ExtendOptions = {}): Promise<number> {
    return await this.#counted('extendVolume', () => this.volume(properties).extend(options))
  }

  async getVolumePaths(properties: unknown, options: CallOptions = {}): Promise<string[]> {
    return await this.#counted('getVolumePaths', () => this.volume(properties).paths(options))
  }

  async getAllAvailableVolumes(_properties?: unknown, options: CallOptions = {}): Promise<string[]> {
    if (this.getSearchPath() === undefined) return []
    using operation = new Operation(`${this.#name}.getAllAvailableVolumes`, options)
    return await operation.step('list', listByPath)
  }

  #counted<T>(verb: string, run: () => Promise<T>): Promise<T> {
    return counted(`${this.#name}.${verb}`, run)
  }

  /** None, for devices that have no folder in common: neither has os-brick. */
  getSearchPath(): string | undefined {
    return undefined
  }

  async checkValidDevice(path: string, options: CallOptions = {}): Promise<boolean> {
    using operation = new Operation(`${this.#name}.checkValidDevice`, options)
    return await operation.step('read', (signal) => isReadable(path, signal))
  }
}

/** Of devices that udev names by their place. */
export abstract class PlacedVolumeConnector extends VolumeConnector {
  override getSearchPath(): string {
    return byPath
  }
}
