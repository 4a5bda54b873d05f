import { invalid } from '../errors.ts'
import type { BrickError } from '../errors.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import { parseLocalProperties } from '../properties/local.ts'
import type { VolumeCalls } from '../volume/calls.ts'
import { atLeast } from '../volume/growth.ts'
import { absent, awaitDevice, describeDevice, findDevice } from '../volume/promised.ts'
import type { ConnectOptions, ExtendOptions } from './initiator-connector.ts'
import { VolumeConnector } from './volume-connector.ts'

/** Volumes whose device somebody else brings to this host: the properties have its node, `device_path`. */
export class LocalConnector extends VolumeConnector {
  constructor() {
    super('local')
  }

  protected override volume(properties: unknown): VolumeCalls {
    const { devicePath } = parseLocalProperties(properties)
    return {
      connect: (options) => connect(devicePath, options),
      // Nothing to do: whoever brought the device takes it away.
      disconnect: () => Promise.resolve(),
      extend: (options) => size(devicePath, options),
      paths: (options) => paths(devicePath, options),
    }
  }
}

async function connect(devicePath: string, options: ConnectOptions): Promise<DeviceInfo> {
  using operation = new Operation('local.connectVolume', options)
  const facts = await awaitDevice(devicePath, wrong(devicePath), operation)
  return describeDevice('local', devicePath, facts, operation)
}

/** The size that the device has. Whoever brought it makes it grow. */
async function size(devicePath: string, options: ExtendOptions): Promise<number> {
  using operation = new Operation('local.extendVolume', options)
  const facts = await operation.step('size', (signal) => findDevice(devicePath, wrong(devicePath), signal))
  if (facts === undefined) throw absent(devicePath)
  return atLeast(options.expectedBytes, devicePath, facts.size)
}

async function paths(devicePath: string, options: CallOptions): Promise<string[]> {
  using operation = new Operation('local.getVolumePaths', options)
  const facts = await operation.step('find', (signal) => findDevice(devicePath, wrong(devicePath), signal))
  return facts === undefined ? [] : [devicePath]
}

function wrong(devicePath: string): () => BrickError {
  return () => invalid('device_path', 'a block device', devicePath)
}
