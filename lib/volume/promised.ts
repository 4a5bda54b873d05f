import { withDeadline } from '../abort.ts'
import { failedWith } from '../binding.ts'
import type { DeviceFacts } from '../binding.ts'
import { factsWhenOpen } from '../block/disk.ts'
import { BrickError } from '../errors.ts'
import type { Operation } from '../operation.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import { ofSubsystem } from '../udev/uevents.ts'
import { Watch } from '../wait.ts'

// Volumes that somebody else brings to this host, and of which we are told the device node.

/** How long udev may take to make a link, milliseconds: its rules take a fraction of a second, or some on a busy host. */
const patience = 10_000

/**
 * The block device at `path`; undefined when there is none.
 *
 * @param wrong what to throw when something else is there
 */
export async function findDevice(
  path: string,
  wrong: () => BrickError,
  signal: AbortSignal,
): Promise<DeviceFacts | undefined> {
  try {
    return await factsWhenOpen(path, signal)
  } catch (error) {
    throw failedWith(error, 'ENOTBLK') ? wrong() : error
  }
}

/** The same, if need be when udev has made its link. @throws BrickError DEVICE_NOT_FOUND when it does not come */
export async function awaitDevice(path: string, wrong: () => BrickError, operation: Operation): Promise<DeviceFacts> {
  return operation.step('find', async (signal) => {
    const patient = withDeadline(operation.share(0.5), patience)
    const find = (): Promise<DeviceFacts | undefined> => findDevice(path, wrong, patient)
    try {
      return (await find()) ?? (await whenUdevHasIt(find, patient))
    } catch (error) {
      signal.throwIfAborted()
      throw patient.aborted ? absent(path) : error
    }
  })
}

export function absent(path: string): BrickError {
  return new BrickError('DEVICE_NOT_FOUND', `${path} is not there`, { details: { device: path } })
}

async function whenUdevHasIt(find: () => Promise<DeviceFacts | undefined>, signal: AbortSignal): Promise<DeviceFacts> {
  using watch = new Watch('udev', [ofSubsystem('block')])
  return await watch.until(find, signal)
}

/** Nothing is known of such a volume but its node: which paths it has is the business of whoever brought it. */
export function describeDevice(
  type: DeviceInfo['type'],
  path: string,
  { major, minor, diskSequence, size }: DeviceFacts,
  operation: Operation,
): DeviceInfo {
  return {
    type,
    path,
    paths: [],
    expected_paths: 0,
    degraded: false,
    failures: [],
    identity: { source: 'node', value: path, devno: `${major}:${minor}`, diskseq: diskSequence },
    size,
    timings: operation.trace.timings,
  }
}
