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
  /** The NQNs of the hosts that are let in; all are when left out. */
  hosts?: string[]
}

/** An NVMe subsystem of the kernel's own. It is reached through the ports that serve it. */
export class NvmeSubsystem {
  readonly nqn: string
  readonly directory: string
  readonly #hosts: readonly string[]
  readonly #namespaces = new Map<number, NvmeNamespace>()

  constructor({ nqn, namespaces, hosts }: NvmeSubsystemOptions) {
    loadModules('nvmet', 'loop')
    this.nqn = nqn
    this.directory = join(NVMET, 'subsystems', nqn)
    this.#hosts = hosts ?? []
    mkdirSync(this.directory) // not recursive: a subsystem that an earlier suite has left behind is an error
    writeFileSync(join(this.directory, 'attr_allow_any_host'), hosts ? '0' : '1')
    for (const host of this.#hosts) {
      mkdirSync(join(NVMET, 'hosts', host), { recursive: true })
      symlinkSync(join(NVMET, 'hosts', host), join(this.directory, 'allowed_hosts', host))
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
    for (const host of this.#hosts) unlinkSync(join(this.directory, 'allowed_hosts', host))
    rmdirSync(this.directory)
    for (const host of this.#hosts) rmdirSync(join(NVMET, 'hosts', host))
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
  /** The guest has 127.0.0.1 to 127.0.0.4 and ::1. */
  address: string
  service?: number
  subsystems: NvmeSubsystem[]
}

/** A place where subsystems are reached over TCP. Each has a discovery controller as well. */
export class NvmePort {
  readonly number: number
  readonly address: string
  readonly service: number
  readonly #directory: string
  readonly #served = new Set<NvmeSubsystem>()
  readonly #groups = new Set<number>()

  constructor({ number, address, service = 4420, subsystems }: NvmePortOptions) {
    loadModules('nvmet_tcp', 'nvme_tcp')
    this.number = number
    this.address = address
    this.service = service
    this.#directory = join(NVMET, 'ports', String(number))
    mkdirSync(this.#directory)
    this.#write('addr_trtype', 'tcp')
    this.#write('addr_adrfam', address.includes(':') ? 'ipv6' : 'ipv4')
    this.#write('addr_traddr', address)
    this.#write('addr_trsvcid', String(service))
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
