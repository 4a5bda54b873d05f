import { listDirectory } from '../files.ts'

/** The kernel's names of the devices that a device is built upon; none when it has gone. */
export function slavesOf(name: string, signal: AbortSignal): Promise<string[]> {
  return namesIn(`/sys/class/block/${name}/slaves`, signal)
}

/** The same of those that are built upon it. */
export function holdersOf(name: string, signal: AbortSignal): Promise<string[]> {
  return namesIn(`/sys/class/block/${name}/holders`, signal)
}

async function namesIn(folder: string, signal: AbortSignal): Promise<string[]> {
  return (await listDirectory(folder, signal)) ?? []
}
