import { orAborted } from '../abort.ts'
import { binding, finishWithin } from '../binding.ts'
import { diskOf } from '../inventory/controllers.ts'
import { readWalk } from '../inventory/walk.ts'
import { WalkPlan } from '../inventory/walk-plan.ts'
import type { WalkEntry } from '../inventory/walk.ts'
import { SharedLook } from '../shared-look.ts'
import { parseAddressAttribute } from './address.ts'
import type { NvmeAddress } from './address.ts'
import type { AnaState } from './log-pages.ts'

/** One NVMe controller of this host. Null stands for what the kernel does not say. */
export interface NvmeController {
  /** 'nvme1': its device, and its folder in class/nvme. */
  readonly name: string
  /** 'tcp', 'rdma', 'fc', 'loop', 'pcie' and so on. */
  readonly transport: string
  /** Where it is reached; null for those that are in this host. */
  readonly address: NvmeAddress | null
  /** 'new', 'live', 'resetting', 'connecting', 'deleting', 'deleting (no IO)' or 'dead'. */
  readonly state: string
  /** 'io', 'discovery' or 'admin'; null before Linux 5.17 and until the controller has said it. */
  readonly type: string | null
  readonly subsystemNqn: string
  /** 'nvme-subsys0'; null until the controller has said which it is. */
  readonly subsystem: string | null
  readonly hostNqn: string | null
  readonly hostId: string | null
  /** CNTLID. */
  readonly controllerId: number | null
  /** Whether its connections are secured by TLS. */
  readonly tls: boolean
  /** The namespaces that the kernel has found through it. */
  readonly paths: readonly NvmePath[]
}

/** One controller's way to one namespace. */
export interface NvmePath {
  /** 'nvme0c1n1', which has no node; without native multipath the namespace's own name. */
  readonly name: string
  /** How well it is reached; null where the controller makes no difference, and without native multipath. */
  readonly anaState: AnaState | null
  readonly namespace: NvmeNamespace
}

/** A namespace as a disk of this host. With native multipath, all paths to it have the same one. */
export interface NvmeNamespace {
  /** 'nvme0n1': neither the controller's number nor, at the end, the namespace's. */
  readonly name: string
  /** Its device node, which may not be there yet. */
  readonly path: string
  readonly namespaceId: number
  /** The kernel's name for it: made from the best of those below. */
  readonly wwid: string
  readonly uuid: string | null
  /** 32 hexadecimal digits. */
  readonly nguid: string | null
  /** 16 hexadecimal digits. */
  readonly eui64: string | null
  /** Bytes, as the kernel knows them. */
  readonly size: number
  /** The number of the disk, never used twice while the host runs; null before Linux 5.15. */
  readonly diskSequence: number | null
}

const plan = new WalkPlan([
  {
    path: 'class/nvme',
    attributes: [
      ...['uevent', 'transport', 'state', 'cntrltype', 'subsysnqn', 'hostnqn', 'hostid', 'cntlid', 'tls_key'],
      // Last, so that it is read first: while a connection is being made anew it may wait for that.
      'address',
    ].map((name) => ({ name })),
    directories: [],
  },
  { path: 'class/nvme-subsystem', attributes: [{ name: 'subsysnqn' }], directories: [{ name: '.' }] },
  {
    // Among them the paths, which the kernel hides elsewhere.
    path: 'class/block',
    attributes: ['nsid', 'wwid', 'nguid', 'eui', 'size', 'diskseq', 'ana_state'].map((name) => ({
      name,
      below: '/nvme',
    })),
    directories: [],
  },
])

/** Milliseconds that a walk may take: no longer than the kernel itself waits for a controller. */
const patience = 60_000

const walks = new SharedLook(async () => {
  const bytes = await finishWithin(binding().walk('nvme', '/sys', plan.text), patience)
  return toControllers([...readWalk(bytes, plan)])
})

/** The NVMe controllers of this host, those in it included; none also where the kernel has no NVMe loaded. */
export function readControllers(signal: AbortSignal): Promise<readonly NvmeController[]> {
  return orAborted(walks.take(), signal)
}

function toControllers(entries: readonly WalkEntry[]): NvmeController[] {
  const [controllers = [], subsystems = [], devices = []] = [0, 1, 2].map((folder) =>
    entries.filter((entry) => entry.folder === folder),
  )
  // A host may have thousands of others.
  const disks = devices.filter(({ name }) => name.startsWith('nvme'))
  const named = new Map(disks.map((disk) => [disk.name, disk]))
  const namespaces = new Map<string, NvmeNamespace>()
  const namespaceAt = (disk: WalkEntry): NvmeNamespace => {
    const made = namespaces.get(disk.name) ?? toNamespace(disk)
    namespaces.set(disk.name, made)
    return made
  }
  return controllers.map((entry) => ({
    ...toController(entry),
    subsystem: subsystems.find((subsystem) => subsystem.names('.')?.includes(entry.name))?.name ?? null,
    paths: disks.flatMap((disk) => {
      if (!disk.path.startsWith(`${entry.path}/`) || text(disk, 'nsid') === null) return []
      // A path whose disk the walk has not seen is on its way in or out, and leads nowhere now.
      const head = named.get(diskOf(disk.name))
      if (head === undefined) return []
      return [{ name: disk.name, anaState: text(disk, 'ana_state') as AnaState | null, namespace: namespaceAt(head) }]
    }),
  }))
}

function toController(entry: WalkEntry): Omit<NvmeController, 'subsystem' | 'paths'> {
  const transport = text(entry, 'transport') ?? ''
  const controllerId = text(entry, 'cntlid')
  return {
    name: entry.name,
    transport,
    address: parseAddressAttribute(transport, text(entry, 'address') ?? ''),
    state: text(entry, 'state') ?? '',
    type: text(entry, 'cntrltype'),
    subsystemNqn: text(entry, 'subsysnqn') ?? '',
    hostNqn: text(entry, 'hostnqn'),
    hostId: text(entry, 'hostid'),
    controllerId: controllerId === null ? null : Number(controllerId),
    // The kernel shows the key of a controller that has one.
    tls: text(entry, 'tls_key') !== null,
  }
}

function toNamespace(disk: WalkEntry): NvmeNamespace {
  const wwid = text(disk, 'wwid') ?? ''
  const sequence = text(disk, 'diskseq')
  return {
    name: disk.name,
    path: `/dev/${disk.name}`,
    namespaceId: Number(text(disk, 'nsid')),
    wwid,
    // Not from the attribute `uuid`, which shows the NGUID of a namespace that has no UUID.
    uuid: /^uuid\.(.+)$/.exec(wwid)?.[1] ?? null,
    nguid: text(disk, 'nguid')?.replaceAll('-', '') ?? null,
    eui64: text(disk, 'eui')?.replaceAll(' ', '') ?? null,
    // sysfs counts in 512-byte sectors, whatever the namespace's own block is.
    size: Number(text(disk, 'size') ?? 0) * 512,
    diskSequence: sequence === null ? null : Number(sequence),
  }
}

function text(entry: WalkEntry, attribute: string): string | null {
  const value = entry.text(attribute)?.trim() ?? ''
  return value === '' ? null : value
}
