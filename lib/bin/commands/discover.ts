import { discoverIscsiTargets, discoverNvmeSubsystems } from '../../index.ts'
import type { DiscoveryCredentials, NvmeConnectSettings } from '../../index.ts'
import { columns } from '../columns.ts'
import { command } from '../command.ts'
import { expectObject, readInput } from '../input.ts'

export const discoverIscsi = command({
  name: 'discover iscsi',
  summary: 'the iSCSI targets that a portal has for this host',
  operands: [{ name: 'PORTAL', means: 'an address or host name, with a port if it is not 3260' }],
  input:
    'with --chap: { "username": …, "password": … }, and "usernameIn" and "passwordIn" if the portal has to prove itself, too',
  options: {
    chap: { type: 'boolean', means: 'read CHAP credentials from standard input' },
    'initiator-name': { type: 'string', value: 'NAME', means: "the iSCSI name to ask under; by default this host's" },
  },
  description: [
    'Asks the portal itself (SendTargets): neither iscsid nor root is needed, and no node record is written. A list of which anything cannot be read is a failure: no target is left out silently.',
  ],
  examples: [
    { command: 'hostbrick discover iscsi 192.0.2.10', means: 'targets and their portals' },
    { command: 'hostbrick discover iscsi 192.0.2.10:3260 --chap < credentials.json', means: 'with CHAP' },
  ],
  async run({ operands: [portal = ''], options, limits }) {
    const credentials = options.chap
      ? expectObject(await readInput('CHAP credentials', limits.signal), 'credentials')
      : undefined
    const targets = await discoverIscsiTargets(portal, {
      ...limits,
      initiatorName: options['initiator-name'],
      // It is read as what it may be, and refused.
      credentials: credentials as DiscoveryCredentials | undefined,
    })
    const rows = targets.flatMap(({ iqn, portals }) =>
      portals.map((each) => [each.portal, String(each.group ?? '-'), iqn]),
    )
    return { json: { targets }, text: columns([['PORTAL', 'GROUP', 'TARGET'], ...rows]) }
  },
})

const transports = ['tcp', 'rdma', 'fc', 'loop'] as const

export const discoverNvme = command({
  name: 'discover nvme',
  summary: 'the NVMe subsystems that a discovery controller has for this host',
  operands: [{ name: 'PORTAL', means: 'an address or host name, with a port if it is not 8009' }],
  input: 'with --settings: settings of the connect, such as { "dhchap_secret": … }, by their names in nvme-connect(1)',
  options: {
    transport: {
      type: 'string',
      value: 'NAME',
      choices: transports,
      means: 'by default tcp; when it is given, PORTAL is the address alone',
    },
    port: { type: 'string', value: 'PORT', means: 'the port, and PORTAL is the address alone' },
    'host-nqn': { type: 'string', value: 'NQN', means: "the NVMe name to ask under; by default this host's" },
    settings: { type: 'boolean', means: 'read settings from standard input' },
  },
  description: [
    'Asks the discovery controller: over plain TCP by a connection of its own, which needs neither root nor the kernel; over other transports, and with --settings, through the kernel.',
  ],
  examples: [
    { command: 'hostbrick discover nvme 192.0.2.10', means: 'subsystems and their ports' },
    { command: 'hostbrick discover nvme 192.0.2.10:4420 --json', means: 'all that is known of them' },
  ],
  async run({ operands: [portal = ''], options, limits }) {
    const settings = options.settings ? expectObject(await readInput('settings', limits.signal), 'settings') : undefined
    const { transport: named, port } = options
    const transport = transports.find((name) => name === named?.toLowerCase())
    const place = named === undefined && port === undefined ? portal : { transport, address: portal, port }
    const subsystems = await discoverNvmeSubsystems(place, {
      ...limits,
      hostNqn: options['host-nqn'],
      // They are read as what they may be, and refused.
      settings: settings as NvmeConnectSettings | undefined,
    })
    const rows = subsystems.map(({ transport, traddr, trsvcid, subtype, nqn }) => [
      transport ?? '-',
      trsvcid === '' || trsvcid === 'none' ? traddr : `${traddr.includes(':') ? `[${traddr}]` : traddr}:${trsvcid}`,
      subtype,
      nqn,
    ])
    return { json: { subsystems }, text: columns([['TRANSPORT', 'PORTAL', 'TYPE', 'SUBSYSTEM'], ...rows]) }
  },
})
