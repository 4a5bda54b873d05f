import type { DeviceFacts } from '../binding.ts'
import { readUdevEntry } from '../udev/database.ts'

/**
 * The name of a disk in /dev/disk/by-path, which says where it is and stays the same as long as it is there; undefined
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
  const name = links.find((link) => {
    if (!link.startsWith('disk/by-path/')) return false
    const rest = link.slice('disk/by-path/'.length)
    return endings.some((ending) => rest === ending || rest.endsWith(`-${ending}`))
  })
  return name === undefined ? undefined : `/dev/${name}`
}
