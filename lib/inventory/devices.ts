import type { BlockDevice } from './block-device.ts'
import { Index, UniqueIndex, wwidsOf } from './indexes.ts'

/** Block devices, and what they are found by. */
export class Devices {
  readonly #byName = new Map<string, BlockDevice>()
  #list: readonly BlockDevice[] | undefined

  readonly #devno = new UniqueIndex<string>(({ devno }) => devno)
  readonly #hctl = new UniqueIndex<string>(({ kind, scsi }) => (kind === 'disk' && scsi ? scsi.hctl : null))
  readonly #parent = new Index<string>(({ parent }) => [parent])
  readonly #wwid = new Index<string>(wwidsOf)
  readonly #serial = new Index<string>(({ identity, nvme }) => [identity?.serial, nvme?.serial])
  readonly #session = new Index<number>(({ scsi }) => [scsi?.session])
  readonly #remotePort = new Index<string>(({ scsi }) => [scsi?.remotePort])
  readonly #nqn = new Index<string>(({ nvme }) => [nvme?.nqn])
  readonly #namespaceId = new Index<string>(({ nvme }) => [nvme && `${nvme.nqn} ${nvme.namespaceId}`])
  readonly #namespaceName = new Index<string>(({ nvme }) => [nvme?.uuid, nvme?.nguid, nvme?.eui64])
  readonly #indexes = [
    ...[this.#devno, this.#hctl, this.#parent, this.#wwid, this.#serial, this.#session, this.#remotePort],
    ...[this.#nqn, this.#namespaceId, this.#namespaceName],
  ]

  constructor(devices: Iterable<BlockDevice> = []) {
    for (const device of devices) this.#byName.set(device.name, device)
  }

  get devices(): readonly BlockDevice[] {
    return (this.#list ??= [...this.#byName.values()])
  }

  get byName(): ReadonlyMap<string, BlockDevice> {
    return this.#byName
  }

  /** By 'major:minor'. */
  get byDevno(): ReadonlyMap<string, BlockDevice> {
    return this.#devno.of(this.#byName)
  }

  /** SCSI disks by 'H:C:T:L'. */
  get byHctl(): ReadonlyMap<string, BlockDevice> {
    return this.#hctl.of(this.#byName)
  }

  /** Partitions by the name of their disk. */
  get byParent(): ReadonlyMap<string, readonly BlockDevice[]> {
    return this.#parent.of(this.#byName)
  }

  /** By every name that the kernel, udev or multipath have for the volume. All paths to it have the same. */
  get byWwid(): ReadonlyMap<string, readonly BlockDevice[]> {
    return this.#wwid.of(this.#byName)
  }

  /** By the serial number of a SCSI unit, or of an NVMe subsystem. */
  get bySerial(): ReadonlyMap<string, readonly BlockDevice[]> {
    return this.#serial.of(this.#byName)
  }

  /** By the number of the iSCSI session. */
  get bySession(): ReadonlyMap<number, readonly BlockDevice[]> {
    return this.#session.of(this.#byName)
  }

  /** By the remote port of Fibre Channel, 'rport-H:B-R'. */
  get byRemotePort(): ReadonlyMap<string, readonly BlockDevice[]> {
    return this.#remotePort.of(this.#byName)
  }

  /** Namespaces by the NQN of their NVMe subsystem. */
  get byNqn(): ReadonlyMap<string, readonly BlockDevice[]> {
    return this.#nqn.of(this.#byName)
  }

  /** Namespaces by their subsystem's NQN and their number in it, as in 'nqn.2026-11.example:array 7'. */
  get byNamespaceId(): ReadonlyMap<string, readonly BlockDevice[]> {
    return this.#namespaceId.of(this.#byName)
  }

  /** Namespaces by what names them: the UUID as the kernel writes it, the NGUID and the EUI-64 as hexadecimal digits. */
  get byNamespaceName(): ReadonlyMap<string, readonly BlockDevice[]> {
    return this.#namespaceName.of(this.#byName)
  }

  /** Puts devices in the place of others, in every index that there is. */
  protected replace(removed: Iterable<BlockDevice>, added: Iterable<BlockDevice>): void {
    this.#list = undefined
    const indexes = this.#indexes.filter(({ isMade }) => isMade)
    for (const device of removed) {
      this.#byName.delete(device.name)
      for (const index of indexes) index.remove(device)
    }
    for (const device of added) {
      this.#byName.set(device.name, device)
      for (const index of indexes) index.add(device)
    }
  }
}
