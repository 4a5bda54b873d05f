import type { DeviceFacts } from '../binding.ts'
import { listDirectory } from '../files.ts'
import { Watch } from '../wait.ts'
import { isOf, readUdevEntry } from './database.ts'

/** A device, and when it came at the earliest: microseconds of CLOCK_MONOTONIC, if that is known. */
export interface ExpectedDevice {
  readonly path: string
  readonly facts: Pick<DeviceFacts, 'major' | 'minor' | 'diskSequence'>
  readonly since?: number | undefined
}

/**
 * Waits until udevd's rules have dealt with a device: what they do with it, they have done then. Where no udevd runs there
 * is nothing to wait for.
 *
 * What udevd has noted earlier than `since`, or of another disk sequence number, is of another device that had the same number.
 */
export async function whenHandled({ path, facts, since }: ExpectedDevice, signal: AbortSignal): Promise<void> {
  using watch = new Watch('udev', [`DEVNAME=${path}\0`])
  const running = await listDirectory('/run/udev', signal)
  if (running?.includes('control') !== true) return
  await watch.until(async () => {
    const entry = await readUdevEntry(`${facts.major}:${facts.minor}`, signal)
    return entry && isOf(entry, facts) && (since === undefined || entry.initialized > since) ? true : undefined
  }, signal)
}
