import { invalid } from '../errors.ts'
import { parseAddressingMode } from '../scsi/lun.ts'
import type { AddressingMode } from '../scsi/lun.ts'
import { optionalBoolean, optionalString, present } from './read.ts'
import type { Properties } from './read.ts'

/** What the connection properties of SCSI volumes have in common, whatever they are reached by. */
export interface VolumeProperties {
  readonly addressingMode: AddressingMode
  readonly encrypted: boolean
  readonly enforceMultipath?: boolean
  readonly accessMode: 'rw' | 'ro'
  readonly devicePath?: string
  readonly volumeId?: string
  /** The volume's name on the backend, if that says so; see `matchesWwn`. */
  readonly wwn?: string
}

/** @throws BrickError INVALID_ARGUMENT naming the key */
export function volumeProperties(data: Properties): VolumeProperties {
  const accessMode = optionalString(data, 'access_mode') ?? 'rw'
  if (accessMode !== 'rw' && accessMode !== 'ro') throw invalid('access_mode', 'rw or ro', accessMode)
  return {
    addressingMode: parseAddressingMode(optionalString(data, 'addressing_mode')),
    encrypted: optionalBoolean(data, 'encrypted') ?? false,
    accessMode,
    ...present({
      enforceMultipath: optionalBoolean(data, 'enforce_multipath'),
      devicePath: optionalString(data, 'device_path'),
      volumeId: optionalString(data, 'volume_id'),
      wwn: optionalString(data, 'wwn'),
    }),
  }
}
