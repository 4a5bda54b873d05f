import { listDirectory } from '../files.ts'
import { Watch } from '../wait.ts'
import { readUdevEntry } from './database.ts'

/**
 * Waits until udevd's rules have dealt with a device: what they do with it, they have done then. Where no udevd runs there
 * is nothing to wait for.
 *
 * @param devno 'major:minor'
 */
export async function whenHandled(path: string, devno: string, signal: AbortSignal): Promise<void> {
  using watch = new Watch('udev', [`DEVNAME=${path}\0`])
  const running = await listDirectory('/run/udev', signal)
  if (running?.includes('control') !== true) return
  await watch.until(() => readUdevEntry(devno, signal), signal)
}
