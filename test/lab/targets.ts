import { mkdirSync, rmdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Backstore, type BackstoreOptions } from './backstore.ts'
import { loadModules } from './command.ts'
import type { Fault } from './network.ts'

const ISCSI = '/sys/kernel/config/target/iscsi'

/** What the initiator must present, and, with the second pair, what the target presents in return. */
export interface Chap {
  username: string
  password: string
  usernameIn?: string
  passwordIn?: string
}

export interface IscsiTargetOptions {
  iqn: string
  /** `address:port`, an IPv6 address in brackets. The guest has 127.0.0.1 to 127.0.0.4 and ::1. */
  portals: string[]
  luns: Record<number, BackstoreOptions>
  chap?: Chap
  /** Serve every portal over RDMA as well (see rdma.ts). */
  iser?: boolean
}

export function iscsiTarget(options: IscsiTargetOptions): IscsiTarget {
  return new IscsiTarget(options)
}

/** From now on only who knows the secret may ask for the list of targets, at every portal. */
export function requireDiscoveryChap({ username, password, usernameIn = 'NULL', passwordIn = 'NULL' }: Chap): Fault {
  const write = (attribute: string, value: string): void => {
    writeFileSync(join(ISCSI, 'discovery_auth', attribute), value)
  }
  write('userid', username)
  write('password', password)
  write('userid_mutual', usernameIn) // LIO's word for none
  write('password_mutual', passwordIn)
  write('enforce_discovery_auth', '1')
  return {
    lift() {
      write('enforce_discovery_auth', '0')
    },
  }
}

/** A target of the kernel's own, open to every initiator or, with CHAP, to everyone who knows the secret. */
export class IscsiTarget {
  readonly iqn: string
  readonly portals: readonly string[]
  readonly #portalGroup: string
  readonly #backstores = new Map<number, Backstore>()

  constructor({ iqn, portals, luns, chap, iser = false }: IscsiTargetOptions) {
    this.iqn = iqn
    this.portals = portals
    this.#portalGroup = join(ISCSI, iqn, 'tpgt_1')

    loadModules('iscsi_target_mod')
    mkdirSync(ISCSI, { recursive: true })
    mkdirSync(join(ISCSI, iqn)) // not recursive: a target that an earlier suite has left behind is an error
    mkdirSync(this.#portalGroup)
    for (const portal of portals) mkdirSync(join(this.#portalGroup, 'np', portal))
    if (iser) this.#serveRdma()

    this.#write('attrib/generate_node_acls', '1') // whoever logs in gets access to all LUNs,
    this.#write('attrib/demo_mode_write_protect', '0') // for writing, too
    this.#write('attrib/authentication', chap ? '1' : '0')
    if (chap) this.#requireChap(chap)

    for (const [lun, options] of Object.entries(luns)) this.map(Number(lun), options)
    this.#write('enable', '1')
  }

  /** A new volume under this number. Sessions that exist already can see it after a scan. */
  map(lun: number, options: BackstoreOptions): void {
    const backstore = new Backstore(options)
    const directory = this.#lunDirectory(lun)
    mkdirSync(directory)
    symlinkSync(backstore.directory, join(directory, backstore.name))
    this.#backstores.set(lun, backstore)
  }

  unmap(lun: number): void {
    const backstore = this.#backstore(lun)
    const directory = this.#lunDirectory(lun)
    unlinkSync(join(directory, backstore.name))
    rmdirSync(directory)
    backstore.remove()
    this.#backstores.delete(lun)
  }

  /** Another volume, with another identity, under the same number: what a careless backend does. */
  swap(lun: number, options: BackstoreOptions): void {
    this.unmap(lun)
    this.map(lun, options)
  }

  /** Initiators keep the old size until they rescan the disk. */
  grow(lun: number, megabytes: number): void {
    this.#backstore(lun).grow(megabytes)
  }

  serial(lun: number): string {
    return this.#backstore(lun).serial
  }

  /** Takes everything down, sessions included. */
  remove(): void {
    this.#write('enable', '0')
    for (const lun of [...this.#backstores.keys()]) this.unmap(lun)
    for (const portal of this.portals) rmdirSync(join(this.#portalGroup, 'np', portal))
    rmdirSync(this.#portalGroup)
    rmdirSync(join(ISCSI, this.iqn))
  }

  #serveRdma(): void {
    loadModules('ib_isert')
    for (const portal of this.portals) this.#write(`np/${portal}/iser`, '1')
  }

  #requireChap({ username, password, usernameIn, passwordIn }: Chap): void {
    this.#write('auth/userid', username)
    this.#write('auth/password', password)
    if (usernameIn !== undefined) this.#write('auth/userid_mutual', usernameIn)
    if (passwordIn !== undefined) this.#write('auth/password_mutual', passwordIn)
  }

  #backstore(lun: number): Backstore {
    const backstore = this.#backstores.get(lun)
    if (!backstore) throw new Error(`${this.iqn} has no LUN ${lun}`)
    return backstore
  }

  #lunDirectory(lun: number): string {
    return join(this.#portalGroup, 'lun', `lun_${lun}`)
  }

  #write(attribute: string, value: string): void {
    writeFileSync(join(this.#portalGroup, attribute), value)
  }
}
