import { BrickError } from '../errors.ts'
import type { Devices } from '../inventory/devices.ts'
import { mapsOf } from '../multipath/map.ts'
import { isCalled, sameUnit } from '../scsi/identity.ts'
import type { ScsiIdentity } from '../scsi/identity.ts'
import type { ScsiPath } from '../scsi/paths.ts'
import { prove } from './bring-up.ts'
import type { AttachedVolume } from './release.ts'

/**
 * Every disk of a volume among these, whoever attached it and however: those at its places, and all others that say of
 * themselves that they are this volume.
 *
 * @param expected the volume's name, if it is known
 * @throws BrickError IDENTITY_MISMATCH when there is another volume at one of its places
 */
export function gather(
  disks: readonly ScsiPath[],
  isPlaced: (disk: ScsiPath) => boolean,
  expected: string | undefined,
  host: Devices,
): AttachedVolume {
  const placed = disks.filter(isPlaced)
  const isVolume = volumeTest(placed[0], expected)
  const paths = disks.filter((disk) => placed.includes(disk) || (disk.noted !== null && isVolume(disk.noted)))
  for (const path of placed) refuseAnother(path, placed[0], expected)
  const names = [expected, ...paths.map(({ noted }) => noted?.names.udev)].filter((name) => typeof name === 'string')
  return { paths, maps: mapsOf(paths, names, host) }
}

/** Tells of disks at any other place whether they are the volume, by what they say. */
function volumeTest(known: ScsiPath | undefined, expected: string | undefined): (noted: ScsiIdentity) => boolean {
  if (expected !== undefined) return isCalled(expected)
  const said = known?.noted
  return said ? (noted) => sameUnit(noted, said) : () => false
}

/** A disk at the volume's place has to be the volume: if not, nothing is certain any more. */
function refuseAnother({ noted, disk }: ScsiPath, first: ScsiPath | undefined, expected: string | undefined): void {
  if (expected !== undefined) prove(noted, expected, disk)
  else if (noted && first?.noted && !sameUnit(noted, first.noted)) {
    throw new BrickError('IDENTITY_MISMATCH', `${disk.path} and ${first.disk.path} are different volumes`, {
      details: { devices: [disk.path, first.disk.path] },
    })
  }
}
