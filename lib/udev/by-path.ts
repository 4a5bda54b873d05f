import type { DeviceFacts } from '../binding.ts'
import { listDirectory } from '../files.ts'
import { isOf, readUdevEntry } from './database.ts'

/** Where udev names disks by their place. */
export const byPath = '/dev/disk/by-path'

/** Every name there is, whatever it names; none where no udevd has made any. */
export async function listByPath(signal: AbortSignal): Promise<string[]> {
  const names = (await listDirectory(byPath, signal)) ?? []
  return names.map((name) => `${byPath}/${name}`)
}

/**
 * The name of a disk by its place, which says where it is and stays the same as long as it is there; undefined
 * while udev has not made it.
 *
 * @param endings how the name may end, which says that it is of this place
 */
export async function byPathName(
  facts: DeviceFacts,
  endings: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const entry = await readUdevEntry(`${facts.major}:${facts.minor}`, signal)
  if (entry === undefined || !isOf(entry, facts)) return undefined
  const names = entry.links.map((link) => `/dev/${link}`).filter((name) => name.startsWith(`${byPath}/`))
  return names.find((name) => endings.some((ending) => name.endsWith(`/${ending}`) || name.endsWith(`-${ending}`)))
}
