import { constants } from 'node:os'
import type { Mock, TestContext } from 'node:test'
import { binding } from '../../lib/binding.ts'
import type { Binding, DeviceFacts, Job } from '../../lib/binding.ts'
import { RecordedHost } from './recorded-host.ts'

export const hostNqn = 'nqn.2014-08.org.nvmexpress:uuid:11111111-2222-4333-8444-555555555555'

/** A namespace, one disk whatever number of controllers lead to it. */
export interface RecordedNamespace {
  /** 'nvme0n1' */
  readonly name: string
  readonly number: number
  readonly uuid: string
  readonly nguid?: string
}

export interface RecordedController {
  /** 'nvme0' */
  readonly name: string
  readonly nqn: string
  /** As in the attribute `address`. */
  readonly address: string
  readonly id?: number
  readonly state?: string
  readonly type?: string
}

/** What a controller answers to Identify, by the structure's number; undefined where it answers as it should. */
export type Answer = (structure: number, namespace: number) => Buffer | NodeJS.ErrnoException | undefined

const megabytes = 64 * 1024 * 1024
const fabrics = '/sys/devices/virtual/nvme-fabrics/ctl'
const subsystems = '/sys/devices/virtual/nvme-subsystem'

/** NVMe controllers and namespaces of a recorded host, with native multipath. */
export class RecordedNvme {
  readonly host: RecordedHost
  readonly #controllers = new Map<string, RecordedController & { namespaces: Map<number, RecordedNamespace> }>()
  readonly #answers = new Map<string, Answer>()
  readonly #locked = new Set<bigint>()
  readonly #sizes = new Map<string, number>()
  readonly #replace: <Verb extends keyof Binding>(verb: Verb, as: Binding[Verb]) => void
  /** Disks that somebody holds exclusively. */
  readonly held = new Set<string>()
  /** Disks that the kernel still shows, and that cannot be opened any more. */
  readonly missing = new Set<string>()
  /** Where links lead. */
  readonly links = new Map<string, string>()
  readonly names = new Map<string, string[]>()
  readonly flushed: string[] = []
  /** Of each deletion of a controller, its name, and what it was to be told by. */
  readonly deleted: { readonly name: string; readonly expected: Parameters<Binding['writeAttributeIf']>[3] }[] = []
  /** Whoever listens to these addresses. */
  readonly listening = new Set<string>()
  connect: (options: string) => RecordedController = () => {
    throw failure('ECONNREFUSED', '/dev/nvme-fabrics')
  }

  /** Takes the lock of a key. */
  lock: (byte: bigint) => (() => void) | undefined = (byte) => {
    if (this.#locked.has(byte)) return undefined
    this.#locked.add(byte)
    return () => this.#locked.delete(byte)
  }

  constructor(test: TestContext) {
    this.host = new RecordedHost(test)
    this.host.write('/etc/nvme/hostnqn', `${hostNqn}\n`)
    this.#replace = (verb, as) => {
      const current = binding()[verb] as Binding[typeof verb] & Partial<Mock<() => void>>
      if (current.mock) current.mock.mockImplementation(as as never)
      else test.mock.method(binding(), verb, as as never)
    }
    this.host.write('/sys/class/nvme/.keep')
    const onDisk = <T>(path: string, value: () => T): Job<T> =>
      job(() => {
        if (!this.#sizes.has(path)) throw failure('ENOENT', path)
        return value()
      })
    this.#replace('deviceFacts', (_lane, path) => onDisk(path, () => factsOf(this.#sizes.get(path) ?? 0)))
    this.#replace('heldExclusively', (_lane, path) =>
      onDisk(path, () => {
        if (this.missing.has(path)) throw failure('ENXIO', path)
        return this.held.has(path)
      }),
    )
    this.#replace('flushDevice', (_lane, path) =>
      onDisk(path, () => {
        nothing(this.flushed.push(path))
      }),
    )
    this.#replace('resolvePath', (_lane, path) =>
      job(() => {
        const found = this.links.get(path) ?? (this.#sizes.has(path) ? path : undefined)
        return there(found, 'ENOENT', path)
      }),
    )
    this.#replace('identifyNvme', (_lane, device, structure, number) =>
      job(() => this.#identify(device.slice('/dev/'.length), structure, number)),
    )
    this.#replace('tryLockByte', (_path, byte) => this.lock(byte))
    this.#replace('rescanController', () => job(nothing))
    this.#replace('fabricsOptions', () => job(() => there<string>(undefined, 'EINVAL', '/dev/nvme-fabrics')))
    this.#replace('resolveHost', (name) => job(() => there(this.names.get(name), 'ENOENT', name)))
    this.#replace('probePort', (address) =>
      job(() => {
        if (!this.listening.has(address)) throw failure('ECONNREFUSED', address)
      }),
    )
    this.#replace('connectFabrics', (_lane, options) =>
      job(() => ({ instance: Number(this.connect(options).name.slice('nvme'.length)), connected: true, reason: '' })),
    )
    this.#replace('writeAttributeIf', (_lane, path, _value, expected) =>
      job(() => {
        this.#delete(path, expected)
      }),
    )
  }

  addController(controller: RecordedController, ...namespaces: readonly RecordedNamespace[]): void {
    const { name, nqn, address, id = 1, state = 'live', type = 'io' } = controller
    this.#controllers.set(name, { ...controller, namespaces: new Map() })
    const attributes = {
      transport: 'tcp',
      address,
      state,
      cntrltype: type,
      subsysnqn: nqn,
      hostnqn: hostNqn,
      cntlid: id,
    }
    const lines = Object.entries(attributes).map(([attribute, value]) => [attribute, `${value}\n`])
    this.host.device(`${fabrics}/${name}`, 'nvme', Object.fromEntries(lines) as Record<string, string>)
    this.host.device(`${subsystems}/nvme-subsys0`, 'nvme-subsystem', { subsysnqn: `${nqn}\n` })
    this.host.link(`${subsystems}/nvme-subsys0/${name}`, `${fabrics}/${name}`)
    for (const namespace of namespaces) this.addNamespace(name, namespace)
  }

  addNamespace(controller: string, namespace: RecordedNamespace): void {
    const { name, number, uuid, nguid = '' } = namespace
    const size = String(megabytes / 512)
    const attributes = { nsid: `${number}\n`, wwid: `uuid.${uuid}\n`, nguid: `${nguid}\n`, size, diskseq: '1\n' }
    this.host.device(`${subsystems}/nvme-subsys0/${name}`, 'block', attributes)
    const path = name.replace(/^(nvme\d+)(n\d+)$/, `$1c${controller.slice('nvme'.length)}$2`)
    this.host.device(`${fabrics}/${controller}/${path}`, 'block', attributes)
    this.#sizes.set(`/dev/${name}`, megabytes)
    this.#controllers.get(controller)?.namespaces.set(number, namespace)
    this.host.announce('add', `${subsystems}/nvme-subsys0/${name}`, { SUBSYSTEM: 'block', DEVNAME: name })
  }

  removeController(name: string): void {
    this.host.remove(`/sys/class/nvme/${name}`)
    this.host.remove(`${subsystems}/nvme-subsys0/${name}`)
    const namespaces = [...(this.#controllers.get(name)?.namespaces.values() ?? [])]
    this.#controllers.delete(name)
    for (const namespace of namespaces) {
      const path = namespace.name.replace(/^(nvme\d+)(n\d+)$/, `$1c${name.slice('nvme'.length)}$2`)
      this.host.remove(`/sys/class/block/${path}`)
      const others = [...this.#controllers.values()].some((each) => each.namespaces.has(namespace.number))
      if (!others) this.removeDisk(namespace.name)
    }
    this.host.remove(`${fabrics}/${name}`)
  }

  removeDisk(name: string): void {
    this.host.remove(`/sys/class/block/${name}`)
    this.#sizes.delete(`/dev/${name}`)
  }

  resize(name: string, size: number): void {
    this.#sizes.set(`/dev/${name}`, size)
  }

  answer(controller: string, answer: Answer): void {
    this.#answers.set(controller, answer)
  }

  get controllers(): string[] {
    return [...this.#controllers.keys()]
  }

  #identify(name: string, structure: number, number: number): Buffer {
    const controller = there(this.#controllers.get(name), 'ENOENT', `/dev/${name}`)
    const own = this.#answers.get(name)?.(structure, number)
    if (own instanceof Error) throw own
    if (own) return own
    if (structure === 0x02) return listOf(...controller.namespaces.keys())
    const namespace = controller.namespaces.get(number)
    if (!namespace) throw refused(name, '0/0b, do not retry')
    return structure === 0x00 ? namespaceOf(namespace.nguid) : namesOf(namespace.uuid)
  }

  #delete(path: string, expected: Parameters<Binding['writeAttributeIf']>[3]): void {
    const [, name = ''] = /^\/sys\/class\/nvme\/(\w+)\/delete_controller$/.exec(path) ?? []
    const controller = there(this.#controllers.get(name), 'ENOENT', path)
    const contents: Readonly<Record<string, string>> = {
      [`/sys/class/nvme/${name}/subsysnqn`]: `${controller.nqn}\n`,
      [`/sys/class/nvme/${name}/cntlid`]: `${controller.id ?? 1}\n`,
    }
    if (expected.some(({ pattern, content }) => contents[pattern] !== content)) throw failure('ESTALE', path)
    this.deleted.push({ name, expected })
    this.removeController(name)
  }
}

/** Identify's list of active namespaces. */
export function listOf(...numbers: readonly number[]): Buffer {
  const list = Buffer.alloc(4096)
  for (const [index, number] of numbers.entries()) list.writeUInt32LE(number, 4 * index)
  return list
}

/** Identify's description of a namespace. */
export function namespaceOf(nguid = ''): Buffer {
  const namespace = Buffer.alloc(4096)
  namespace.writeBigUInt64LE(BigInt(megabytes / 512), 0)
  namespace.writeUInt8(9, 130)
  namespace.write(nguid.replaceAll('-', ''), 104, 'hex')
  return namespace
}

/** Identify's names of a namespace that has a UUID. */
export function namesOf(uuid: string): Buffer {
  const names = Buffer.alloc(4096)
  Buffer.concat([Buffer.from([3, 16, 0, 0]), Buffer.from(uuid.replaceAll('-', ''), 'hex')]).copy(names)
  return names
}

/** A controller's refusal, 'SCT/SC'. */
export function refused(controller: string, status: string): NodeJS.ErrnoException {
  return Object.assign(failure('EIO', `/dev/${controller}`), { detail: `status ${status}` })
}

/** As the addon throws it. */
export function failure(code: keyof typeof constants.errno, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(path), { errno: -constants.errno[code], syscall: 'write', path })
}

function there<T>(value: T | undefined, code: keyof typeof constants.errno, path: string): T {
  if (value === undefined) throw failure(code, path)
  return value
}

function nothing(_done?: unknown): void {
  return
}

function factsOf(size: number): DeviceFacts {
  return { size, major: 259, minor: 1, diskSequence: 1, logicalBlock: 512, readOnly: false }
}

function job<T>(make: () => T): Job<T> {
  const result = new Promise<T>((resolve) => {
    resolve(make())
  })
  return { result, number: 0 }
}
