import { initiatorNamePath } from '../host/initiator-name.ts'
import { mountOf } from '../host/mounts.ts'
import { nqnPath } from '../host/nvme-host.ts'
import type { HostFacts } from './host-facts.ts'

/** Something that this host, or this process, would need. */
export interface Missing {
  readonly kind: 'module' | 'device' | 'capability' | 'mount' | 'namespace' | 'socket' | 'file' | 'program' | 'setting'
  /** Which one: 'nvme_tcp', '/dev/nvme-fabrics', 'CAP_SYS_ADMIN', '/sys' and so on. */
  readonly name: string
  /** What is the matter, for people. */
  readonly message: string
}

export type Requirement = (facts: HostFacts) => Missing | undefined

const unless = (there: boolean, kind: Missing['kind'], name: string, message: string): Missing | undefined =>
  there ? undefined : { kind, name, message }

/** The kernel asks for it in its own user namespace: root in another one is nobody. */
export const hostUsers: Requirement = ({ hostUsers: there }) =>
  unless(there, 'namespace', 'user', "this process's root is not the host's")

export const root: Requirement = ({ uid }) =>
  unless(uid === 0, 'capability', 'root', `the user is ${uid}; the kernel's files and the daemons' sockets are root's`)

/** By <linux/capability.h>. */
const capabilityBits = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n }

export const capability =
  (name: keyof typeof capabilityBits): Requirement =>
  ({ capabilities }) =>
    unless(((capabilities >> capabilityBits[name]) & 1n) === 1n, 'capability', name, 'this process does not have it')

export const writable =
  (path: string): Requirement =>
  ({ mounts }) =>
    unless(mountOf(path, mounts)?.readOnly !== true, 'mount', path, 'it is mounted read-only')

/** One that is loaded when it is needed, by the kernel or by a daemon. */
export const module =
  (name: string): Requirement =>
  ({ modules: { present, builtIn, loadable, folder } }) => {
    const listed = (list = ''): boolean =>
      [name, name.replaceAll('_', '-')].some((spelling) => list.includes(`/${spelling}.ko`))
    if (present.has(name) || listed(builtIn) || listed(loadable)) return undefined
    const known = builtIn !== undefined && loadable !== undefined
    const message = known
      ? 'the kernel has none'
      : `it is not loaded, and without ${folder} nobody can tell whether it may be`
    return { kind: 'module', name, message }
  }

/** A device that comes with a module which nobody loads by himself. */
export const device =
  (name: string, path: string, from: string): Requirement =>
  ({ devices }) => {
    if (!devices.has(name)) return { kind: 'module', name: from, message: `it is not loaded: modprobe ${from}` }
    const errno = devices.get(name)
    return unless(errno === undefined, 'device', path, `it cannot be opened: ${errno ?? ''}`)
  }

export const scsiDisks: Requirement = (facts) =>
  facts.scsiDrivers.includes('sd') ? undefined : module('sd_mod')(facts)

export const rdma: Requirement = ({ rdmaDevices }) =>
  unless(rdmaDevices.length > 0, 'device', 'RDMA', 'this host has no RDMA device')

export const fibreChannelPort: Requirement = ({ fibreChannelPorts: states }) => {
  if (states.includes('Online')) return undefined
  const message = states.length === 0 ? 'this host has none' : `none is online, but ${states.join(', ')}`
  return { kind: 'device', name: 'Fibre Channel port', message }
}

/** iscsid's socket is of its network namespace, which is the host's. */
export const iscsid: Requirement = ({ hostNetwork, sockets }) => {
  if (hostNetwork === false)
    return { kind: 'namespace', name: 'network', message: "it is not the host's, where iscsid is" }
  const name = '@ISCSIADM_ABSTRACT_NAMESPACE'
  return unless(sockets.has(name), 'socket', name, 'no iscsid listens there')
}

export const multipathd: Requirement = ({ multipathd: reason }) =>
  unless(reason === undefined, 'socket', '/run/multipathd.socket', `multipathd cannot be asked: ${reason ?? ''}`)

export const udevd: Requirement = ({ udevd: there }) =>
  unless(there, 'socket', '/run/udev/control', 'no udevd runs, or its /run/udev is not here')

export const initiatorName: Requirement = ({ initiatorName: { lack } }) =>
  unless(lack === undefined, 'file', initiatorNamePath, lack ?? '')

export const nvmeHost: Requirement = ({ nvmeHost: { lack } }) => unless(lack === undefined, 'file', nqnPath, lack ?? '')

export const nativeMultipath: Requirement = (facts) =>
  facts.nativeMultipath === undefined
    ? module('nvme_core')(facts)
    : unless(facts.nativeMultipath, 'setting', 'nvme_core.multipath', 'it is switched off')

export const sdsCli: Requirement = ({ sdsCli: { path, installed } }) =>
  unless(installed, 'program', path, 'it is not installed')
