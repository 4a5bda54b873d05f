import { factsWhenOpen, flush, refuseInUse } from '../block/disk.ts'
import { attach, detach, findDevice } from '../cli/sds-cli.ts'
import { BrickError } from '../errors.ts'
import { lock } from '../lock.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import { parseSdsProperties } from '../properties/huawei.ts'
import { Rollback, undone } from '../rollback.ts'
import { attempts } from '../volume/attempts.ts'
import type { VolumeCalls } from '../volume/calls.ts'
import { awaitDevice, describeDevice } from '../volume/promised.ts'
import { allFailed } from '../volume/ways.ts'
import type { ConnectOptions, DisconnectOptions } from './initiator-connector.ts'
import { VolumeConnector } from './volume-connector.ts'

/**
 * Volumes of Huawei's SDSHypervisor, attached by its own command, sds_cli: the one that HUAWEISDSHYPERVISORCLI_PATH
 * names, or /usr/local/bin/sds/sds_cli.
 */
export class HuaweiStorHyperConnector extends VolumeConnector {
  constructor() {
    super('huawei')
  }

  protected override volume(properties: unknown): VolumeCalls {
    const { volume } = parseSdsProperties(properties)
    return {
      connect: (options) => connect(volume, options),
      disconnect: (_deviceInfo, options) => disconnect(volume, options),
      // sds_cli has no way to do it, and neither has os-brick.
      extend: () => Promise.reject(new BrickError('NOT_SUPPORTED', 'volumes of SDSHypervisor cannot be extended')),
      paths: (options) => paths(volume, options),
    }
  }
}

async function connect(volume: string, options: ConnectOptions): Promise<DeviceInfo> {
  using operation = new Operation('huawei.connectVolume', options)
  using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume), signal))
  const rollback = new Rollback()
  try {
    // Asked before, so that a failure does not detach what was attached already.
    const before = await operation.step('query', (signal) => findDevice(volume, signal))
    const path = before ?? (await attachNow(volume, operation, rollback))
    const facts = await awaitDevice(path, () => noDevice(volume, path), operation)
    return describeDevice('block', path, facts, operation)
  } catch (error) {
    throw await undone(error, 'attach', () => rollback.run(operation))
  }
}

async function disconnect(
  volume: string,
  { force = false, ignoreErrors = false, ...options }: DisconnectOptions,
): Promise<void> {
  using operation = new Operation('huawei.disconnectVolume', options)
  using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume), signal))
  const { attempt, failures } = attempts(force, operation)
  const path = await attempt('query', (signal) => presentDevice(volume, signal))
  if (path !== undefined) {
    await attempt('use', (signal) => refuseInUse(path, signal))
    await attempt('flush', (signal) => flush(path, signal))
  }
  await operation.step('detach', (signal) => detach(volume, signal))
  if (failures.length > 0 && !ignoreErrors) throw allFailed(failures)
}

async function paths(volume: string, options: CallOptions): Promise<string[]> {
  using operation = new Operation('huawei.getVolumePaths', options)
  const path = await operation.step('query', (signal) => findDevice(volume, signal))
  return path === undefined ? [] : [path]
}

function volumeKey(volume: string): string {
  return `volume sds ${volume}`
}

async function attachNow(volume: string, operation: Operation, rollback: Rollback): Promise<string> {
  let byUs = true
  rollback.add('attach', async (signal) => {
    if (byUs) await detach(volume, signal)
  })
  byUs = await operation.step('attach', (signal) => attach(volume, signal))
  const path = await operation.step('query', (signal) => findDevice(volume, signal))
  if (path !== undefined) return path
  throw new BrickError('DEVICE_NOT_FOUND', `sds_cli has attached ${volume} and names no device of it`, {
    details: { volume },
  })
}

function noDevice(volume: string, path: string): BrickError {
  return new BrickError('TOOL_FAILED', `sds_cli says that ${volume} is ${path}, which is no block device`, {
    details: { volume, device: path },
  })
}

/** The device of an attached volume, if it can be opened. */
async function presentDevice(volume: string, signal: AbortSignal): Promise<string | undefined> {
  const path = await findDevice(volume, signal)
  return path !== undefined && (await factsWhenOpen(path, signal)) !== undefined ? path : undefined
}
