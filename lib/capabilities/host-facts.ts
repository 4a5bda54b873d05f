import { release } from 'node:os'
import { basename, dirname } from 'node:path'
import { binding, failedWith, finish } from '../binding.ts'
import { deviceFacts } from '../block/disk.ts'
import { sdsCliPath } from '../cli/sds-cli.ts'
import { errnoName } from '../errno.ts'
import { BrickError } from '../errors.ts'
import { listDirectory, readFiles, textOf } from '../files.ts'
import type { FileRead } from '../files.ts'
import { initiatorNamePath, parseInitiatorName } from '../host/initiator-name.ts'
import { parseMounts } from '../host/mounts.ts'
import type { Mount } from '../host/mounts.ts'
import { firstLineOf, nqnPath } from '../host/nvme-host.ts'
import { readWalk } from '../inventory/walk.ts'
import { WalkPlan } from '../inventory/walk-plan.ts'
import { isMultipathdRunning } from '../multipath/daemon.ts'

/** What this host has and this process may do, as far as attaching volumes goes. */
export interface HostFacts {
  /** Whether this process's user namespace is the host's. */
  readonly hostUsers: boolean
  /** Whether its network namespace is; undefined when nothing tells. */
  readonly hostNetwork: boolean | undefined
  readonly uid: number
  /** The effective ones, bit by bit as in <linux/capability.h>. */
  readonly capabilities: bigint
  readonly mounts: readonly Mount[]
  readonly modules: Modules
  /** The kernel's miscellaneous devices that are there; the errno's name when a node cannot be opened. */
  readonly devices: ReadonlyMap<string, string | undefined>
  /** Drivers of SCSI devices, whether modules or not. */
  readonly scsiDrivers: readonly string[]
  /** The states of the Fibre Channel ports. */
  readonly fibreChannelPorts: readonly string[]
  readonly rdmaDevices: readonly string[]
  /** Where somebody listens in this network namespace, by the names that /proc/net/unix has for sockets. */
  readonly sockets: ReadonlySet<string>
  /** Why multipathd cannot be asked; undefined when it can. */
  readonly multipathd: string | undefined
  readonly udevd: boolean
  readonly initiatorName: OwnName
  readonly nvmeHost: OwnName
  /** Whether NVMe's native multipath is switched on; undefined when NVMe is not loaded. */
  readonly nativeMultipath: boolean | undefined
  readonly sdsCli: { readonly path: string; readonly installed: boolean }
}

/** A name that this host has in a file, and if it has none, why. */
export type OwnName = { readonly name: string; readonly lack?: undefined } | { readonly lack: string }

export interface Modules {
  /** Where the kernel's modules are. */
  readonly folder: string
  /** Those that are loaded, or part of the kernel and have parameters. */
  readonly present: ReadonlySet<string>
  /** depmod's lists of those that are part of the kernel, and of those that are not; undefined where this process sees none. */
  readonly builtIn: string | undefined
  readonly loadable: string | undefined
}

const fcPlan = new WalkPlan([
  { path: 'class/fc_host', attributes: [{ name: 'uevent' }, { name: 'port_state' }], directories: [] },
])

const miscDevices = { 'nvme-fabrics': '/dev/nvme-fabrics', 'device-mapper': '/dev/mapper/control' }

export async function readHostFacts(signal: AbortSignal): Promise<HostFacts> {
  const folder = `/lib/modules/${release()}`
  const paths = {
    status: '/proc/self/status',
    users: '/proc/self/uid_map',
    mounts: '/proc/self/mountinfo',
    netlink: '/proc/net/netlink',
    sockets: '/proc/net/unix',
    builtIn: `${folder}/modules.builtin`,
    loadable: `${folder}/modules.dep`,
    initiator: initiatorNamePath,
    nqn: nqnPath,
    nativeMultipath: '/sys/module/nvme_core/parameters/multipath',
  }
  const list = async (path: string): Promise<string[]> => (await listDirectory(path, signal)) ?? []
  const [files, modules, misc, scsiDrivers, iscsiTransports, rdmaDevices, udev] = await Promise.all([
    readFiles('host', paths, signal),
    list('/sys/module'),
    list('/sys/class/misc'),
    list('/sys/bus/scsi/drivers'),
    list('/sys/class/iscsi_transport'),
    list('/sys/class/infiniband'),
    list('/run/udev'),
  ])
  const nodes = Object.entries(miscDevices).filter(([name]) => misc.includes(name))
  const status = textOf(files.status) ?? ''
  return {
    hostUsers: /^\s*0\s+0\s+4294967295\s*$/.test(textOf(files.users) ?? ''),
    hostNetwork: isHostNetwork(textOf(files.netlink) ?? '', iscsiTransports.length > 0),
    uid: Number(/^Uid:\t\d+\t(\d+)/m.exec(status)?.[1]),
    capabilities: BigInt(`0x${/^CapEff:\t([\da-f]+)/m.exec(status)?.[1] ?? '0'}`),
    mounts: parseMounts(textOf(files.mounts) ?? ''),
    modules: {
      folder,
      present: new Set(modules),
      builtIn: textOf(files.builtIn),
      loadable: textOf(files.loadable),
    },
    devices: new Map(
      await Promise.all(nodes.map(async ([name, path]) => [name, await whyClosed(path, signal)] as const)),
    ),
    scsiDrivers,
    fibreChannelPorts: await fibreChannelPorts(signal),
    rdmaDevices,
    sockets: listening(textOf(files.sockets) ?? ''),
    multipathd: await whyNoMultipathd(signal),
    udevd: udev.includes('control'),
    initiatorName: nameIn(files.initiator, parseInitiatorName),
    nvmeHost: nameIn(files.nqn, firstLineOf),
    nativeMultipath: nativeMultipath(textOf(files.nativeMultipath)),
    sdsCli: { path: sdsCliPath(), installed: (await list(dirname(sdsCliPath()))).includes(basename(sdsCliPath())) },
  }
}

/** NETLINK_ISCSI of <linux/netlink.h>. */
const netlinkIscsi = '8'

/**
 * Whether these are the host's netlink sockets. The kernel has its own end of iSCSI's there and nowhere else, once iSCSI
 * is loaded (iscsi_transport_init in drivers/scsi/scsi_transport_iscsi.c).
 */
export function isHostNetwork(netlink: string, iscsi: boolean): boolean | undefined {
  const rows = netlink.split('\n').map((line) => line.trim().split(/\s+/))
  const there = rows.some(([, protocol, port]) => protocol === netlinkIscsi && port === '0')
  return there || (iscsi ? false : undefined)
}

/** Of /proc/net/unix: an abstract name begins with '@'. */
export function listening(unixSockets: string): Set<string> {
  const accepting = '00010000' // __SO_ACCEPTCON
  const rows = unixSockets.split('\n').map((line) => line.trim().split(/\s+/))
  return new Set(rows.flatMap(([, , , flags, , , , name]) => (flags === accepting && name !== undefined ? [name] : [])))
}

function nameIn({ content }: FileRead, parse: (text: string) => string | undefined): OwnName {
  if (typeof content === 'number') return { lack: `it cannot be read: ${errnoName(content)}` }
  const name = parse(content.toString())
  return name === undefined ? { lack: 'there is no name in it' } : { name }
}

function nativeMultipath(setting: string | undefined): boolean | undefined {
  return setting === undefined ? undefined : setting.trim() === 'Y'
}

async function fibreChannelPorts(signal: AbortSignal): Promise<string[]> {
  const ports = readWalk(await finish(binding().walk('fc', '/sys', fcPlan.text), signal), fcPlan)
  return [...ports].map((port) => port.text('port_state')?.trim() ?? 'unreadable')
}

/** What keeps a character device from being opened; undefined when nothing does. */
async function whyClosed(path: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    await deviceFacts(path, signal)
  } catch (error) {
    // It was opened, and is no disk.
    if (failedWith(error, 'ENOTBLK')) return undefined
    if (failedWith(error, 'ENOENT', 'EACCES', 'EPERM', 'ENXIO', 'ENODEV')) return error.code
    throw error
  }
  return undefined
}

async function whyNoMultipathd(signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await isMultipathdRunning(signal)) ? undefined : 'nobody listens there'
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof BrickError) return error.message
    if (failedWith(error, 'EACCES')) return 'it belongs to another user, or may not be used'
    throw error
  }
}
