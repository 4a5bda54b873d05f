import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { readHostFacts } from './host-facts.ts'
import type { HostFacts } from './host-facts.ts'
import * as needs from './requirements.ts'
import type { Missing, Requirement } from './requirements.ts'

export interface Capability {
  readonly works: boolean
  /** All that is missing; nothing when it works. */
  readonly missing: readonly Missing[]
}

const anywhere = [needs.hostUsers, needs.root, needs.capability('CAP_SYS_ADMIN'), needs.writable('/run')]
const kernel = [...anywhere, needs.writable('/sys')]
const iscsi = [...kernel, needs.scsiDisks, needs.iscsid, needs.initiatorName]
const nvme = [...kernel, needs.device('nvme-fabrics', '/dev/nvme-fabrics', 'nvme_fabrics'), needs.nvmeHost]

const requirements = {
  iscsi: [...iscsi, needs.module('iscsi_tcp')],
  iser: [...iscsi, needs.module('ib_iser'), needs.rdma],
  fibreChannel: [...kernel, needs.scsiDisks, needs.fibreChannelPort],
  nvmeTcp: [...nvme, needs.module('nvme_tcp')],
  nvmeRdma: [...nvme, needs.module('nvme_rdma'), needs.rdma],
  nvmeFc: [...nvme, needs.module('nvme_fc')],
  nvmeLoop: [...nvme, needs.module('nvme_loop')],
  local: [],
  huaweiStorHyper: [needs.writable('/run'), needs.sdsCli],
  /** Maps of several paths. */
  multipath: [
    ...anywhere,
    needs.module('dm_multipath'),
    needs.device('device-mapper', '/dev/mapper/control', 'dm_mod'),
    needs.multipathd,
  ],
  nvmeMultipath: [needs.nativeMultipath],
  watch: [needs.hostUsers, needs.capability('CAP_NET_ADMIN')],
  iscsid: [needs.iscsid],
  multipathd: [needs.multipathd],
  udevd: [needs.udevd],
} as const satisfies Readonly<Record<string, readonly Requirement[]>>

export const capabilityNames: readonly string[] = Object.keys(requirements)

/** Per transport, way of multipathing and daemon. */
export type Capabilities = Readonly<Record<keyof typeof requirements, Capability>>

/**
 * What works on this host for this process, and exactly what is missing of what does not. Nothing is loaded, started or
 * changed. A driver that is part of the kernel counts as present, and one that will be loaded when it is needed does, too.
 *
 * @throws BrickError
 */
export async function capabilities(options: CallOptions = {}): Promise<Capabilities> {
  using operation = new Operation('host.capabilities', options)
  return judge(await operation.step('read', readHostFacts))
}

export function judge(facts: HostFacts): Capabilities {
  return met(requirements, facts)
}

function met<Name extends string>(
  required: Readonly<Record<Name, readonly Requirement[]>>,
  facts: HostFacts,
): Record<Name, Capability> {
  const judged = Object.entries<readonly Requirement[]>(required).map(([name, needed]): [string, Capability] => {
    const missing = needed.map((need) => need(facts)).filter((each) => each !== undefined)
    return [name, { works: missing.length === 0, missing }]
  })
  return Object.fromEntries(judged) as Record<Name, Capability>
}
