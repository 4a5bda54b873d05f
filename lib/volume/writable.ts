import { withDeadline } from '../abort.ts'
import { deviceFacts } from '../block/disk.ts'
import { BrickError } from '../errors.ts'
import { askMultipathd } from '../multipath/daemon.ts'
import type { LiveMap } from '../multipath/map.ts'
import { rescan } from '../scsi/unit.ts'
import type { Disk, UnitAddress } from '../scsi/unit.ts'
import { together } from '../together.ts'
import { Watch } from '../wait.ts'

/** Milliseconds that a backend has to make a volume writable: as long as os-brick waits. */
const patience = 15_000

/**
 * Waits until the device can be written to: some backends attach a volume read-only at first. The kernel notes only at a
 * rescan that they do not any more.
 *
 * Returns what is amiss when it stays read-only, which does not keep it from being used.
 */
export async function waitUntilWritable(
  paths: readonly { readonly unit: UnitAddress; readonly disk: Disk }[],
  map: LiveMap | undefined,
  signal: AbortSignal,
): Promise<BrickError | undefined> {
  const ended = withDeadline(signal, patience)
  const isReadOnly = async (path: string): Promise<boolean> => (await deviceFacts(path, ended)).readOnly
  const look = async (): Promise<true | undefined> => {
    await together(paths.map(({ unit }) => rescan(unit, ended)))
    const disks = await together(paths.map(({ disk }) => isReadOnly(disk.path)))
    if (disks.includes(true)) return undefined
    // A map keeps the mode that it was made with.
    if (!map || !(await isReadOnly(map.path))) return true
    await askMultipathd(`reload map ${map.name}`, ended)
    return (await isReadOnly(map.path)) ? undefined : true
  }
  const units = paths.map(({ unit }) => `/${unit.hctl}/`)
  using watch = new Watch('kernel', units)
  try {
    await watch.until(look, ended)
    return undefined
  } catch (error) {
    if (signal.aborted || !ended.aborted) throw error
    const device = map?.path ?? paths.map(({ disk }) => disk.path).join(', ')
    return new BrickError('TIMEOUT', `${device} is read-only`, { details: { device } })
  }
}
