import { connectionData, requiredString } from './read.ts'

/** Connection properties of a volume of Huawei's SDSHypervisor. */
export interface SdsProperties {
  /** The volume's name, as sds_cli takes it. */
  readonly volume: string
}

/** Reads os-brick's SDSHypervisor connection properties, nested or flat. @throws BrickError INVALID_ARGUMENT */
export function parseSdsProperties(value: unknown): SdsProperties {
  return { volume: requiredString(connectionData(value), 'volume_id') }
}
