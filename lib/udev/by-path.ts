import type { DeviceFacts } from '../binding.ts'
import { listDirectory } from '../files.ts'
import { readUdevEntry } from './database.ts'

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
  { major, minor, diskSequence }: DeviceFacts,
  endings: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const links = (await readUdevEntry(`${major}:${minor}`, signal))?.links ?? []
  // The entry may still be that of a disk which had this number before.
  const sequences = links.filter((link) => link.startsWith('disk/by-diskseq/'))
  if (sequences.length > 0 && !sequences.includes(`disk/by-diskseq/${diskSequence}`)) return undefined
  const names = links.map((link) => `/dev/${link}`).filter((name) => name.startsWith(`${byPath}/`))
  return names.find((name) => endings.some((ending) => name.endsWith(`/${ending}`) || name.endsWith(`-${ending}`)))
}
