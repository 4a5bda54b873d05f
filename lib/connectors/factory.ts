import { machine } from 'node:os'
import { BrickError, invalid } from '../errors.ts'
import type { NvmeConnectSettings } from '../properties/nvmeof.ts'
import { FibreChannelConnector } from './fibre-channel.ts'
import { HuaweiStorHyperConnector } from './huawei-stor-hyper.ts'
import type { InitiatorConnector as Connector } from './initiator-connector.ts'
import { ISCSIConnector } from './iscsi.ts'
import { LocalConnector } from './local.ts'
import { NVMeOFConnector } from './nvmeof.ts'

export interface FactoryOptions {
  /** Attach over all paths at once; see the connectors. Not for LOCAL and HUAWEISDSHYPERVISOR. */
  useMultipath?: boolean | undefined
  /** With `useMultipath`: a volume that gets no multipath device is an error. */
  enforceMultipath?: boolean | undefined
  /** Of ISCSI: what sessions run over, see `ISCSIConnectorOptions`. ISER's are over 'iser'. */
  transport?: string | undefined
  /** Of NVME and NVMEOF: settings of every connect, see `NVMeOFConnectorOptions`. */
  settings?: NvmeConnectSettings | undefined
  /** The machine, as uname -m names it, that decides between a protocol's variants. By default this host's. */
  arch?: string | undefined
}

type Family = 's390' | 'ppc64' | 'other'

interface Protocol {
  readonly families: readonly Family[]
  readonly make: (options: FactoryOptions) => Connector
}

const everywhere = ['s390', 'ppc64', 'other'] as const
const nvmeof: Protocol = { families: ['other'], make: (options) => new NVMeOFConnector(options) }

/** By os-brick's names; where it has them: os_brick/initiator/connector.py. */
const protocols: Readonly<Record<string, Protocol>> = {
  ISCSI: { families: everywhere, make: (options) => new ISCSIConnector(options) },
  ISER: { families: ['ppc64', 'other'], make: (options) => new ISCSIConnector({ ...options, transport: 'iser' }) },
  FIBRE_CHANNEL: { families: everywhere, make: (options) => new FibreChannelConnector(options) },
  NVME: nvmeof,
  NVMEOF: nvmeof,
  LOCAL: { families: everywhere, make: () => new LocalConnector() },
  HUAWEISDSHYPERVISOR: { families: ['other'], make: () => new HuaweiStorHyperConnector() },
}

export const protocolNames: readonly string[] = Object.keys(protocols)

/** What os-brick has, or had, and hostbrick has not. */
const others = new Set([
  ...['AOE', 'DISCO', 'DRBD', 'GLUSTERFS', 'GPFS', 'HGST', 'LIGHTOS', 'NFS', 'QUOBYTE', 'RBD', 'SCALEIO'],
  ...['SCALITY', 'SHEEPDOG', 'STORPOOL', 'VERITAS_HYPERSCALE', 'VMDK', 'VZSTORAGE'],
])

export type InitiatorConnector = Connector

export const InitiatorConnector = {
  /**
   * The connector for a protocol, by os-brick's name for it in any case: what Cinder calls `driver_volume_type`.
   *
   * @throws BrickError INVALID_ARGUMENT when there is no such protocol; NOT_SUPPORTED when os-brick has it and hostbrick
   * has not, or when neither has it on this machine
   */
  factory: (protocol: string, options: FactoryOptions = {}): Connector => {
    const name = typeof protocol === 'string' ? protocol.toUpperCase() : ''
    const found = Object.hasOwn(protocols, name) ? protocols[name] : undefined
    if (found === undefined) throw unknown(protocol, name)
    const { arch = machine() } = options
    if (found.families.includes(familyOf(arch))) return found.make(options)
    throw new BrickError('NOT_SUPPORTED', `protocol: there is no ${name} on ${arch}`, {
      details: { protocol: name, arch },
    })
  },
}

function familyOf(arch: unknown): Family {
  if (typeof arch !== 'string' || arch === '') throw invalid('arch', 'a machine as in x86_64', arch)
  if (/^s390x?$/i.test(arch)) return 's390'
  return /^ppc64(?:le)?$/i.test(arch) ? 'ppc64' : 'other'
}

function unknown(protocol: unknown, name: string): BrickError {
  if (!others.has(name)) return invalid('protocol', `one of ${protocolNames.join(', ')}`, protocol)
  return new BrickError('NOT_SUPPORTED', `protocol: hostbrick has no ${name}`, { details: { protocol: name } })
}
