import { binding, finish } from '../binding.ts'
import { readWalk } from '../inventory/walk.ts'
import { WalkPlan } from '../inventory/walk-plan.ts'
import type { WalkFolder } from '../inventory/walk-plan.ts'
import type { WalkEntry } from '../inventory/walk.ts'
import { wwnIn } from './wwn.ts'

/** Where a Fibre Channel port of this host is. */
export interface PortPlace {
  /** The number of its SCSI host. */
  readonly host: number
  /** Where it, or what hangs on it, sits below /sys/devices, which tells the device that it is a port of. */
  readonly sysfs: string
}

/** A Fibre Channel port of this host: a host bus adapter's, or a virtual one upon it (NPIV). */
export interface HostPort extends PortPlace {
  /** 16 lower-case digits, as all names here; null where the kernel does not say. */
  readonly portName: string | null
  readonly nodeName: string | null
  /** 'Online', 'Linkdown', 'Offline' and so on: fc_port_state_names in drivers/scsi/scsi_transport_fc.c. */
  readonly state: string
}

/** A target's port, as one port of this host sees it. */
export interface RemotePort {
  /** 'rport-H:B-R' */
  readonly name: string
  readonly host: number
  readonly portName: string
  /** 'Online', 'Marginal', 'Blocked' while it is out of sight and may come back, 'Not Present' and so on. */
  readonly state: string
  /** The channel and the number that its units have on the host. */
  readonly channel: number
  readonly target: number
}

export interface Fabric {
  readonly hostPorts: readonly HostPort[]
  readonly remotePorts: readonly RemotePort[]
}

const plan = new WalkPlan([
  folder('class/fc_host', 'port_name', 'node_name', 'port_state'),
  folder('class/fc_remote_ports', 'port_name', 'port_state', 'scsi_target_id'),
  folder('class/fc_transport', 'port_name'),
])

function folder(path: string, ...attributes: readonly string[]): WalkFolder {
  return { path, attributes: ['uevent', ...attributes].map((name) => ({ name })), directories: [] }
}

/** The ports of this host, and the targets' ports that they see; none where the kernel has no Fibre Channel loaded. */
export async function readFabric(signal: AbortSignal): Promise<Fabric> {
  const entries = [...readWalk(await finish(binding().walk('fc', '/sys', plan.text), signal), plan)]
  const inFolder = (number: number): WalkEntry[] => entries.filter((entry) => entry.folder === number)
  const targets = inFolder(2)
    .map((entry) => targetOf(entry))
    .filter((target) => target !== null)
  return {
    hostPorts: inFolder(0)
      .map((entry) => hostPortOf(entry))
      .sort((a, b) => a.host - b.host),
    remotePorts: inFolder(1).flatMap((entry) => remotePortOf(entry, targets)),
  }
}

function hostPortOf(entry: WalkEntry): HostPort {
  return {
    host: Number(entry.name.replace('host', '')),
    portName: wwnOf(entry, 'port_name'),
    nodeName: wwnOf(entry, 'node_name'),
    state: text(entry, 'port_state') ?? 'unreadable',
    sysfs: entry.path,
  }
}

/** Where the kernel has already made a SCSI target of a remote port. */
interface Target {
  readonly remotePort: string
  readonly channel: number
  readonly target: number
  readonly portName: string | null
}

function targetOf(entry: WalkEntry): Target | null {
  const [, remotePort, channel, target] = /\/(rport-[\d:-]+)\/target\d+:(\d+):(\d+)\//.exec(entry.path) ?? []
  if (remotePort === undefined) return null
  return { remotePort, channel: Number(channel), target: Number(target), portName: wwnOf(entry, 'port_name') }
}

/**
 * None of a port that is no target: it has no number. The SCSI target, which is there only once a unit was looked for,
 * says what the port itself does not.
 */
function remotePortOf(entry: WalkEntry, targets: readonly Target[]): RemotePort[] {
  const [, host, channel] = /^rport-(\d+):(\d+)-\d+$/.exec(entry.name) ?? []
  const made = targets.find(({ remotePort }) => remotePort === entry.name)
  const portName = wwnOf(entry, 'port_name') ?? made?.portName
  const target = made?.target ?? Number(text(entry, 'scsi_target_id') ?? -1)
  if (host === undefined || typeof portName !== 'string' || target < 0) return []
  return [
    {
      name: entry.name,
      host: Number(host),
      portName,
      state: text(entry, 'port_state') ?? 'unreadable',
      channel: made?.channel ?? Number(channel),
      target,
    },
  ]
}

function wwnOf(entry: WalkEntry, attribute: string): string | null {
  return wwnIn(text(entry, attribute) ?? '') ?? null
}

function text(entry: WalkEntry, attribute: string): string | null {
  return entry.text(attribute)?.trim() ?? null
}
