import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { Backstore, type BackstoreOptions } from './backstore.ts'
import { loadModules, run } from './command.ts'
import { until } from './wait.ts'

const CONTROLLERS = '/sys/bus/fcoe/devices'
const TARGETS = '/sys/kernel/config/target/fc'
const SCAN_TYPE = '/sys/module/scsi_mod/parameters/scan'
/** A busy guest loses frames of long sequences, and how the kernel's drivers recover from that is not what is to be tested. */
const SHORT_SEQUENCES = '/run/udev/rules.d/90-lab-fc.rules'

/**
 * Two fabrics, as hosts have them: Fibre Channel over Ethernet between two network cards each, without a switch (VN2VN). In
 * each there is a port of this host and one of a target of the kernel's own, which shows the same volumes in both. The
 * kernel's drivers take it for Fibre Channel, which it is.
 */
export class Fabric {
  readonly initiators: readonly Port[]
  /** The target's ports, in the order of the initiators that see them. */
  readonly targets: readonly Port[]
  readonly #backstores = new Map<number, Backstore>()
  readonly #scanType = read(SCAN_TYPE)

  private constructor(ports: readonly Port[]) {
    const [first, firstTarget, second, secondTarget] = ports
    if (!first || !firstTarget || !second || !secondTarget) {
      throw new Error(`${ports.length} network cards, and four are needed`)
    }
    this.initiators = [first, second]
    this.targets = [firstTarget, secondTarget]
    mkdirSync(TARGETS, { recursive: true })
    for (const port of this.initiators)
      mkdirSync(join(this.#portal(port), 'acls', port.configName), { recursive: true })
  }

  /** The kernel is told not to look for units when a port comes up: what is found then, an attach has found. */
  static async start(): Promise<Fabric> {
    loadModules('fcoe', 'libfc', 'tcm_fc', 'target_core_file', 'sd_mod', 'sg')
    const ports: Port[] = []
    for (const card of networkCards()) {
      run('ip', 'link', 'set', card, 'mtu', '2500') // FCoE needs 2158 bytes
      run('ip', 'link', 'set', card, 'up')
      ports.push(await Port.create(card))
    }
    // What a port is says it when it logs in: the target's have to be targets by then.
    const fabric = new Fabric(ports)
    writeFileSync(SCAN_TYPE, 'manual')
    mkdirSync(dirname(SHORT_SEQUENCES), { recursive: true })
    writeFileSync(SHORT_SEQUENCES, 'ACTION=="add", KERNEL=="sd*[!0-9]", ATTR{queue/max_sectors_kb}="16"\n')
    run('udevadm', 'control', '--reload')
    for (const port of ports) port.enable()
    await fabric.up()
    return fabric
  }

  /** The target's port in the first fabric. */
  get target(): Port {
    return this.#targetOf(this.initiators[0])
  }

  /** Waits until every port of this host sees the target. */
  async up(): Promise<void> {
    await until(
      'the target is logged in',
      () => this.initiators.every((port) => this.stateFrom(port) === 'Online'),
      40_000,
    )
  }

  /** Waits until these ports of this host do not see the target any more. */
  async down(...ports: readonly Port[]): Promise<void> {
    await until('the target is out of sight', () => ports.every((port) => this.stateFrom(port) !== 'Online'), 60_000)
  }

  /** How one port of this host sees the target: 'Online', 'Blocked' and so on; undefined when it does not know it. */
  stateFrom(port: Port): string | undefined {
    const folder = '/sys/class/fc_remote_ports'
    const { portName } = this.#targetOf(port)
    const names = readdirSync(folder).filter((name) => name.startsWith(`rport-${port.host}:`))
    const name = names.find((each) => readIfThere(`${folder}/${each}/port_name`) === portName)
    return name && readIfThere(`${folder}/${name}/port_state`)
  }

  /** A new volume under this number, as the kernel counts it, for these ports of the host. */
  map(lun: number, options: BackstoreOptions, ports: readonly Port[] = this.initiators): void {
    const backstore = new Backstore(options)
    for (const port of this.initiators) {
      mkdirSync(this.#lun(lun, port))
      symlinkSync(backstore.directory, join(this.#lun(lun, port), backstore.name))
    }
    this.#backstores.set(lun, backstore)
    for (const port of ports) this.show(lun, port)
  }

  /** One port of this host may see the unit. */
  show(lun: number, port: Port): void {
    const mapped = this.#mapped(lun, port)
    mkdirSync(mapped)
    symlinkSync(this.#lun(lun, port), join(mapped, 'lun'))
  }

  hide(lun: number, port: Port): void {
    const mapped = this.#mapped(lun, port)
    unlinkSync(join(mapped, 'lun'))
    rmdirSync(mapped)
  }

  unmap(lun: number): void {
    const backstore = this.#backstore(lun)
    for (const port of this.initiators) {
      if (existsSync(this.#mapped(lun, port))) this.hide(lun, port)
      unlinkSync(join(this.#lun(lun, port), backstore.name))
      rmdirSync(this.#lun(lun, port))
    }
    backstore.remove()
    this.#backstores.delete(lun)
  }

  /** Another volume, with another identity, under the same number. */
  swap(lun: number, options: BackstoreOptions): void {
    this.unmap(lun)
    this.map(lun, options)
  }

  grow(lun: number, megabytes: number): void {
    this.#backstore(lun).grow(megabytes)
  }

  serial(lun: number): string {
    return this.#backstore(lun).serial
  }

  /** Whether a port of this host may write to the unit. */
  protect(lun: number, port: Port, isProtected: boolean): void {
    writeFileSync(join(this.#mapped(lun, port), 'write_protect'), isProtected ? '1' : '0')
  }

  /** Takes everything down. */
  remove(): void {
    writeFileSync(SCAN_TYPE, this.#scanType)
    rmSync(SHORT_SEQUENCES)
    run('udevadm', 'control', '--reload')
    for (const port of [...this.initiators, ...this.targets]) port.destroy()
    for (const lun of [...this.#backstores.keys()]) this.unmap(lun)
    for (const port of this.initiators) {
      rmdirSync(join(this.#portal(port), 'acls', port.configName))
      rmdirSync(this.#portal(port))
      rmdirSync(dirname(this.#portal(port)))
    }
  }

  #backstore(lun: number): Backstore {
    const backstore = this.#backstores.get(lun)
    if (!backstore) throw new Error(`the target has no LUN ${lun}`)
    return backstore
  }

  #targetOf(port: Port | undefined): Port {
    const target = this.targets[this.initiators.findIndex((each) => each === port)]
    if (!target) throw new Error('no port of this fabric')
    return target
  }

  /** The target's side of what a port of this host sees. */
  #portal(port: Port): string {
    return join(TARGETS, this.#targetOf(port).configName, 'tpgt_1')
  }

  #lun(lun: number, port: Port): string {
    return join(this.#portal(port), 'lun', `lun_${lun}`)
  }

  #mapped(lun: number, port: Port): string {
    return join(this.#portal(port), 'acls', port.configName, `lun_${lun}`)
  }
}

/** The guest's network cards in the order of test/lab/boot.sh. */
function networkCards(): string[] {
  const address = (card: string): string => read(`/sys/class/net/${card}/address`)
  const cards = readdirSync('/sys/class/net').filter((name) => name.startsWith('e'))
  return cards.sort((a, b) => address(a).localeCompare(address(b)))
}

/** One Fibre Channel port, upon a network card. */
export class Port {
  /** As the kernel spells it, '0x2000…'. */
  readonly portName: string
  /** The number of its SCSI host. */
  readonly host: number
  readonly #card: string
  readonly #controller: string

  private constructor(card: string, controller: string, host: string) {
    this.#card = card
    this.#controller = controller
    this.host = Number(host.replace('host', ''))
    this.portName = read(`/sys/class/fc_host/${host}/port_name`)
  }

  static async create(card: string): Promise<Port> {
    // Until the card's link is up the driver refuses.
    await until(`${card} has a controller`, () => {
      try {
        writeFileSync('/sys/bus/fcoe/ctlr_create', card)
        return true
      } catch {
        return false
      }
    })
    const controllers = readdirSync(CONTROLLERS).map((name) => realpathSync(join(CONTROLLERS, name)))
    const controller = controllers.find((path) => path.includes(`/${card}/`)) ?? ''
    writeFileSync(join(controller, 'mode'), 'VN2VN')
    const host = readdirSync(controller).find((name) => /^host\d+$/.test(name)) ?? ''
    return new Port(card, controller, host)
  }

  /** As LIO names it: with colons. */
  get configName(): string {
    return this.portName.replace('0x', '').replace(/..(?=.)/g, '$&:')
  }

  enable(): void {
    writeFileSync(join(this.#controller, 'enabled'), '1')
  }

  /** It leaves without a word, as if somebody had pulled its cable. */
  disable(): void {
    writeFileSync(join(this.#controller, 'enabled'), '0')
  }

  destroy(): void {
    writeFileSync('/sys/bus/fcoe/ctlr_destroy', this.#card)
  }
}

/** For how long the kernel keeps the devices behind ports that go out of sight, in seconds. It takes no word about those that have gone already. */
export function keepLostPorts(seconds: number): void {
  const folder = '/sys/class/fc_remote_ports'
  for (const name of readdirSync(folder)) {
    if (readIfThere(join(folder, name, 'port_state')) === 'Online')
      writeFileSync(join(folder, name, 'dev_loss_tmo'), String(seconds))
  }
}

function read(path: string): string {
  return readFileSync(path, 'utf8').trim()
}

/** Ports come and go while they are looked at. */
function readIfThere(path: string): string | undefined {
  try {
    return read(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
