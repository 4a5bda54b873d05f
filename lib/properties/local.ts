import { connectionData, requiredString } from './read.ts'

/** Connection properties of a volume that is on this host already. */
export interface LocalProperties {
  /** Its device node or a link to it. */
  readonly devicePath: string
}

/** Reads os-brick's local connection properties, nested or flat. @throws BrickError INVALID_ARGUMENT */
export function parseLocalProperties(value: unknown): LocalProperties {
  return { devicePath: requiredString(connectionData(value), 'device_path') }
}
