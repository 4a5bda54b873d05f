import { protocolNames } from '../connectors/factory.ts'
import { invalid } from '../errors.ts'
import { InitiatorConnector } from '../index.ts'
import type { FactoryOptions } from '../index.ts'
import type { Properties } from '../properties/read.ts'
import type { Invocation, Options } from './command.ts'
import { expectObject, readInput } from './input.ts'

export const volumeInput =
  'the connection properties: Cinder\'s connection_info, { "driver_volume_type": …, "data": { … } }, or with --protocol its data alone'

/** Of every command that does something with a volume. */
export const volumeOptions = {
  protocol: {
    type: 'string',
    value: 'NAME',
    choices: protocolNames.map((name) => name.toLowerCase()),
    means: 'what the volume is reached by, where the properties have no driver_volume_type',
  },
  transport: {
    type: 'string',
    value: 'NAME',
    means: "what iSCSI sessions run over: default (TCP), iser, or an interface of open-iscsi's",
  },
} as const satisfies Options

/** The volume that standard input tells of. */
export interface GivenVolume {
  readonly connector: InitiatorConnector
  readonly properties: Properties
}

/** @throws BrickError INVALID_ARGUMENT, NOT_SUPPORTED */
export async function readVolume(
  { options, limits }: Invocation<typeof volumeOptions>,
  multipath: Pick<FactoryOptions, 'useMultipath' | 'enforceMultipath'> = {},
): Promise<GivenVolume> {
  const properties = expectObject(await readInput('connection properties', limits.signal), 'standard input')
  const protocol = options.protocol ?? properties['driver_volume_type']
  if (typeof protocol !== 'string') {
    throw invalid('driver_volume_type', `one of ${protocolNames.join(', ')}, there or by --protocol`, protocol)
  }
  const connector = InitiatorConnector.factory(protocol, { ...multipath, transport: options.transport })
  return { connector, properties }
}
