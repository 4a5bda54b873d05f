import { randomUUID } from 'node:crypto'
import { mkdirSync, rmdirSync, rmSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModules, run } from './command.ts'

const NVMET = '/sys/kernel/config/nvmet'
const MEBIBYTE = 1024 * 1024
let disks = 0

export interface NvmeNamespaceOptions {
  megabytes: number
  /** Bytes of a logical block: 512 or 4096. */
  blockSize?: number
  /** Random when left out. */
  uuid?: string
  /** 32 hexadecimal digits; random when left out. */
  nguid?: string
  /** The ANA group, 1 when left out. */
  group?: number
}

export interface NvmeSubsystemOptions {
  nqn: string
  namespaces: Record<number, NvmeNamespaceOptions>
  /** The hosts that are let in; all are when left out. */
  hosts?: NvmetHost[]
}

/** A host as a subsystem knows it. */
export interface NvmetHost {
  nqn: string
  /** What it has to prove itself with, and what the subsystem does in return: 'DHHC-1:00:…:'. */
  secret?: string
  controllerSecret?: string
}

/** An NVMe subsystem of the kernel's own. It is reached through the ports that serve it. */
export class NvmeSubsystem {
  readonly nqn: string
  readonly directory: string
  readonly #hosts: readonly NvmetHost[]
  readonly #namespaces = new Map<number, NvmeNamespace>()

  constructor({ nqn, namespaces, hosts }: NvmeSubsystemOptions) {
    loadModules('nvmet', 'loop')
    this.nqn = nqn
    this.directory = join(NVMET, 'subsystems', nqn)
    this.#hosts = hosts ?? []
    mkdirSync(this.directory) // not recursive: a subsystem that an earlier suite has left behind is an error
    writeFileSync(join(this.directory, 'attr_allow_any_host'), hosts ? '0' : '1')
    for (const { nqn: host, secret, controllerSecret } of this.#hosts) {
      const directory = join(NVMET, 'hosts', host)
      mkdirSync(directory, { recursive: true })
      if (secret !== undefined) writeFileSync(join(directory, 'dhchap_key'), secret)
      if (controllerSecret !== undefined) writeFileSync(join(directory, 'dhchap_ctrl_key'), controllerSecret)
      symlinkSync(directory, join(this.directory, 'allowed_hosts', host))
    }
    for (const [number, options] of Object.entries(namespaces)) this.map(Number(number), options)
  }

  /** A new namespace under this number, of which hosts hear at once. */
  map(number: number, options: NvmeNamespaceOptions): void {
    this.#namespaces.set(number, new NvmeNamespace(join(this.directory, 'namespaces', String(number)), options))
  }

  unmap(number: number): void {
    this.namespace(number).remove()
    this.#namespaces.delete(number)
  }

  namespace(number: number): NvmeNamespace {
    const namespace = this.#namespaces.get(number)
    if (!namespace) throw new Error(`${this.nqn} has no namespace ${number}`)
    return namespace
  }

  /** Of a subsystem that no port serves any more. */
  remove(): void {
    for (const number of [...this.#namespaces.keys()]) this.unmap(number)
    for (const { nqn } of this.#hosts) unlinkSync(join(this.directory, 'allowed_hosts', nqn))
    rmdirSync(this.directory)
    for (const { nqn } of this.#hosts) rmdirSync(join(NVMET, 'hosts', nqn))
  }
}

/** A namespace: a sparse file in memory behind a loop device. */
class NvmeNamespace {
  readonly uuid: string
  readonly nguid: string
  readonly #directory: string
  readonly #file = join('/dev/shm', `lab-nvme-${++disks}`)
  readonly #device: string

  constructor(directory: string, { megabytes, blockSize = 512, uuid, nguid, group = 1 }: NvmeNamespaceOptions) {
    this.uuid = uuid ?? randomUUID()
    this.nguid = nguid ?? randomUUID().replaceAll('-', '')
    this.#directory = directory
    writeFileSync(this.#file, '')
    truncateSync(this.#file, megabytes * MEBIBYTE)
    this.#device = run('losetup', '--find', '--show', '--sector-size', String(blockSize), this.#file).trim()
    mkdirSync(directory)
    this.#write('device_path', this.#device)
    this.#write('device_uuid', this.uuid)
    this.#write('device_nguid', this.nguid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'))
    this.#write('ana_grpid', String(group))
    this.#write('enable', '1')
  }

  /** Hosts are told, look again and have the new size. */
  grow(megabytes: number): void {
    this.growSilently(megabytes)
    this.#write('revalidate_size', '1')
  }

  /** Hosts keep the old size until they look again of their own accord. */
  growSilently(megabytes: number): void {
    truncateSync(this.#file, megabytes * MEBIBYTE)
    run('losetup', '--set-capacity', this.#device)
  }

  remove(): void {
    this.#write('enable', '0')
    rmdirSync(this.#directory)
    run('losetup', '--detach', this.#device)
    rmSync(this.#file)
  }

  #write(attribute: string, value: string): void {
    writeFileSync(join(this.#directory, attribute), value)
  }
}

export interface NvmePortOptions {
  /** A number that no other port has. */
  number: number
  /** TCP when left out. */
  transport?: keyof typeof modules
  /** The guest has 127.0.0.1 to 127.0.0.4 and ::1; see rdma.ts and fc-loop.ts. The loop transport has none. */
  address?: string
  service?: number
  /** Only by TLS, for which tlshd has to run (see daemons.ts). */
  tls?: boolean
  subsystems: NvmeSubsystem[]
}

/** Of each transport what the target and the host need. */
const modules = {
  tcp: ['nvmet_tcp', 'nvme_tcp'],
  rdma: ['nvmet_rdma', 'nvme_rdma'],
  fc: ['nvmet_fc', 'nvme_fc'],
  loop: ['nvme_loop'],
} as const

/** A place where subsystems are reached. Each has a discovery controller as well. */
export class NvmePort {
  readonly number: number
  readonly address: string
  readonly service: number
  readonly #directory: string
  readonly #served = new Set<NvmeSubsystem>()
  readonly #groups = new Set<number>()

  constructor({ number, transport = 'tcp', address = '', service = 4420, tls = false, subsystems }: NvmePortOptions) {
    loadModules(...modules[transport])
    this.number = number
    this.address = address
    this.service = service
    this.#directory = join(NVMET, 'ports', String(number))
    mkdirSync(this.#directory)
    this.#write('addr_trtype', transport)
    if (transport !== 'loop') {
      this.#write('addr_adrfam', transport === 'fc' ? 'fc' : address.includes(':') ? 'ipv6' : 'ipv4')
      this.#write('addr_traddr', address)
    }
    if (transport === 'tcp' || transport === 'rdma') this.#write('addr_trsvcid', String(service))
    if (tls) this.#write('addr_tsas', 'tls1.3')
    for (const subsystem of subsystems) this.serve(subsystem)
  }

  serve(subsystem: NvmeSubsystem): void {
    symlinkSync(subsystem.directory, join(this.#directory, 'subsystems', subsystem.nqn))
    this.#served.add(subsystem)
  }

  /** Hosts that are connected to it here lose the connection. */
  withdraw(subsystem: NvmeSubsystem): void {
    unlinkSync(join(this.#directory, 'subsystems', subsystem.nqn))
    this.#served.delete(subsystem)
  }

  /** How well this port reaches the namespaces of an ANA group, by the kernel's names. */
  setAnaState(group: number, state: string): void {
    const directory = join(this.#directory, 'ana_groups', String(group))
    if (group !== 1 && !this.#groups.has(group)) {
      mkdirSync(directory) // group 1 is always there
      this.#groups.add(group)
    }
    this.#write(`ana_groups/${group}/ana_state`, state)
  }

  remove(): void {
    for (const subsystem of this.#served) this.withdraw(subsystem)
    for (const group of this.#groups) rmdirSync(join(this.#directory, 'ana_groups', String(group)))
    rmdirSync(this.#directory)
  }

  #write(attribute: string, value: string): void {
    writeFileSync(join(this.#directory, attribute), value)
  }
}
