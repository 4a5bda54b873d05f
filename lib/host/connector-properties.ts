import { constants, hostname, machine } from 'node:os'
import { binding, finish } from '../binding.ts'
import { factsWhenOpen } from '../block/disk.ts'
import { invalid } from '../errors.ts'
import { namedFiles, textOf } from '../files.ts'
import { readWalk } from '../inventory/walk.ts'
import { WalkPlan } from '../inventory/walk-plan.ts'
import type { WalkEntry } from '../inventory/walk.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { present } from '../properties/read.ts'
import { readUdevEntry } from '../udev/database.ts'
import { initiatorNamePath, parseInitiatorName } from './initiator-name.ts'
import { rootMount } from './mounts.ts'
import { firstLineOf, idPath, nqnPath } from './nvme-host.ts'

export interface ConnectorPropertiesOptions extends CallOptions {
  /** This host's address, as the backend is to know it. */
  ip: string
  /** This host's name; the kernel's when left out. */
  host?: string | undefined
  /** What the backend is to know of `useMultipath` and `enforceMultipath`: they are passed on as they are. */
  multipath?: boolean | undefined
  enforceMultipath?: boolean | undefined
}

/** What a storage backend has to know of this host to let it in: os-brick's keys, with os-brick's meaning. Plain JSON. */
export interface ConnectorProperties {
  /** As uname -m says. */
  readonly platform: string
  readonly os_type: string
  readonly ip: string
  readonly host: string
  readonly multipath: boolean
  readonly enforce_multipath: boolean
  /** The iSCSI name. */
  readonly initiator?: string
  /** The names of the Fibre Channel ports that are online, and of their nodes: 16 hexadecimal digits each. */
  readonly wwpns?: readonly string[]
  readonly wwnns?: readonly string[]
  readonly do_local_attach: false
  /** The UUID of the file system that is the root, if it is on a block device. */
  readonly uuid?: string
  /** The machine's own, from DMI. */
  readonly 'system uuid'?: string
  /** The NVMe host's name and id. */
  readonly nqn?: string
  readonly nvme_hostid?: string
  /** Whether the kernel makes one device of all paths to an NVMe namespace, now. */
  readonly nvme_native_multipath: boolean
  /** 'found' where LightOS' discovery client is installed. */
  readonly found_dsc: 'found' | ''
  /** The addresses of all network interfaces but the loopback ones. */
  readonly host_ips: readonly string[]
}

const { EISDIR } = constants.errno

const paths = {
  initiator: initiatorNamePath,
  mounts: '/proc/self/mountinfo',
  system: '/sys/class/dmi/id/product_uuid',
  nqn: nqnPath,
  hostId: idPath,
  nativeMultipath: '/sys/module/nvme_core/parameters/multipath',
  discoveryClient: '/etc/discovery-client/discovery.d',
}

const portPlan = new WalkPlan([
  {
    path: 'class/fc_host',
    attributes: ['uevent', 'port_state', 'port_name', 'node_name'].map((name) => ({ name })),
    directories: [],
  },
])

/**
 * What this host is to storage backends. Nothing is made, changed or asked over a network: where there is no NVMe name
 * there is no `nqn`, and os-brick's `sdc_guid` (PowerFlex) is never there.
 *
 * @throws BrickError INVALID_ARGUMENT; PERMISSION_DENIED when something is there and cannot be read
 */
export async function getConnectorProperties(options: ConnectorPropertiesOptions): Promise<ConnectorProperties> {
  const { ip, host = hostname(), multipath = false, enforceMultipath = false } = options
  if (typeof ip !== 'string' || ip === '') throw invalid('ip', 'an address of this host', ip)
  if (typeof host !== 'string' || host === '') throw invalid('host', "this host's name", host)
  using operation = new Operation('host.getConnectorProperties', options)
  return await operation.step('read', async (signal) => {
    const read = await finish(binding().readHost('host', Object.values(paths), '/sys', portPlan.text), signal)
    const files = namedFiles(paths, read.files)
    const ports = [...readWalk(read.walk, portPlan)].filter(isOnline)
    const nqn = firstLineOf(textOf(files.nqn) ?? '')
    return {
      platform: machine(),
      os_type: process.platform,
      ip,
      host,
      multipath,
      enforce_multipath: enforceMultipath,
      do_local_attach: false,
      nvme_native_multipath: textOf(files.nativeMultipath)?.trim() === 'Y',
      found_dsc: files.discoveryClient.content === -EISDIR ? 'found' : '',
      host_ips: read.addresses,
      ...present({
        initiator: parseInitiatorName(textOf(files.initiator) ?? ''),
        wwpns: namesOf(ports, 'port_name'),
        wwnns: namesOf(ports, 'node_name'),
        uuid: await rootUuid(textOf(files.mounts) ?? '', signal),
        'system uuid': textOf(files.system)?.trim(),
        nqn,
        nvme_hostid: firstLineOf(textOf(files.hostId) ?? ''),
      }),
    }
  })
}

/** A Fibre Channel port that cannot be read is not. */
function isOnline(port: WalkEntry): boolean {
  return port.text('port_state')?.trim() === 'Online'
}

function namesOf(ports: readonly WalkEntry[], name: string): string[] | undefined {
  const names = ports.flatMap((port) => port.text(name)?.trim().replace(/^0x/, '') ?? [])
  return names.length > 0 ? names : undefined
}

/** As udev has it. Undefined where no udevd runs, and in a container, whose root is on no device. */
async function rootUuid(mountinfo: string, signal: AbortSignal): Promise<string | undefined> {
  const root = rootMount(mountinfo)
  const devno = root && (root.devno.startsWith('0:') ? await numberOf(root.source, signal) : root.devno)
  return devno && (await readUdevEntry(devno, signal))?.properties.get('ID_FS_UUID')
}

/** Of a file system that may be on several devices, the number of the one that is named, if it is in sight. */
async function numberOf(source: string, signal: AbortSignal): Promise<string | undefined> {
  if (!source.startsWith('/dev/')) return undefined
  const facts = await factsWhenOpen(source, signal)
  return facts && `${facts.major}:${facts.minor}`
}
