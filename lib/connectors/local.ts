import { isReadable } from '../block/disk.ts'
import { invalid } from '../errors.ts'
import type { BrickError } from '../errors.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import { parseLocalProperties } from '../properties/local.ts'
import { atLeast } from '../volume/growth.ts'
import { absent, awaitDevice, describeDevice, findDevice } from '../volume/promised.ts'
import type { ConnectOptions, ExtendOptions, InitiatorConnector } from './initiator-connector.ts'

/** Volumes whose device somebody else brings to this host: the properties have its node, `device_path`. */
export class LocalConnector implements InitiatorConnector {
  async connectVolume(properties: unknown, options: ConnectOptions = {}): Promise<DeviceInfo> {
    const { devicePath } = parseLocalProperties(properties)
    using operation = new Operation('local.connectVolume', options)
    const facts = await awaitDevice(devicePath, wrong(devicePath), operation)
    return describeDevice('local', devicePath, facts, operation)
  }

  /** Nothing to do: whoever brought the device takes it away. */
  async disconnectVolume(properties: unknown): Promise<void> {
    await Promise.resolve(parseLocalProperties(properties))
  }

  /** The size that the device has. Whoever brought it makes it grow. */
  async extendVolume(properties: unknown, options: ExtendOptions = {}): Promise<number> {
    const { devicePath } = parseLocalProperties(properties)
    using operation = new Operation('local.extendVolume', options)
    const facts = await operation.step('size', (signal) => findDevice(devicePath, wrong(devicePath), signal))
    if (facts === undefined) throw absent(devicePath)
    return atLeast(options.expectedBytes, devicePath, facts.size)
  }

  async getVolumePaths(properties: unknown, options: CallOptions = {}): Promise<string[]> {
    const { devicePath } = parseLocalProperties(properties)
    using operation = new Operation('local.getVolumePaths', options)
    const facts = await operation.step('find', (signal) => findDevice(devicePath, wrong(devicePath), signal))
    return facts === undefined ? [] : [devicePath]
  }

  /** None: these devices have nothing in common. */
  getAllAvailableVolumes(): Promise<string[]> {
    return Promise.resolve([])
  }

  getSearchPath(): undefined {
    return undefined
  }

  async checkValidDevice(path: string, options: CallOptions = {}): Promise<boolean> {
    using operation = new Operation('local.checkValidDevice', options)
    return await operation.step('read', (signal) => isReadable(path, signal))
  }
}

function wrong(devicePath: string): () => BrickError {
  return () => invalid('device_path', 'a block device', devicePath)
}
