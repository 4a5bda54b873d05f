import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import type { TestContext } from 'node:test'
import { binding } from '../../lib/binding.ts'
import type { Binding, DeviceFacts, Identification, Job } from '../../lib/binding.ts'

/** What the kernel does when something is written to an attribute; returns the errno's name when it refuses. */
export type Reaction = (value: string, path: string) => 'EEXIST' | 'EINVAL' | undefined

/** A logical unit as the kernel shows it. */
export interface RecordedUnit {
  /** The folder of its target below /sys/devices, '…/target0:0:0'. */
  readonly target: string
  readonly hctl: string
  readonly name: string
  /** 16 bytes of an NAA 6 designator. */
  readonly naa: string
}

const megabytes = 64 * 1024 * 1024

/**
 * A host as it was recorded: trees of files in place of /sys and /run, with the project's own native code to read them, and
 * functions in place of what a kernel does when its attributes are written. For machines that no lab has; everything above
 * the native seam is the real thing.
 */
export class RecordedHost {
  readonly #root = mkdtempSync(join(tmpdir(), 'recorded-host-'))
  readonly #real = { ...binding() }
  readonly #reactions: { readonly pattern: RegExp; readonly react: Reaction }[] = []
  readonly #facts = new Map<string, DeviceFacts>()
  readonly #units = new Map<string, RecordedUnit>()
  readonly #listeners = new Set<Parameters<Binding['openMonitor']>[1]>()
  /** Everything that was written to attributes, 'path value', in order. */
  readonly written: string[] = []
  #sequence = 0

  constructor(test: TestContext) {
    test.after(() => {
      rmSync(this.#root, { recursive: true })
    })
    this.write('/proc/self/mountinfo', '')
    const replace = <Verb extends keyof Binding>(verb: Verb, as: Binding[Verb]): void => {
      test.mock.method(binding(), verb, as as never)
    }
    replace('walk', (lane, root, plan) => this.#real.walk(lane, this.#at(root), plan))
    replace('walkInParts', (lane, root, plan, only) => this.#real.walkInParts(lane, this.#at(root), plan, only))
    replace('readFile', (lane, path) => this.#real.readFile(lane, this.#at(path)))
    replace('readFiles', (lane, paths) =>
      this.#real.readFiles(
        lane,
        paths.map((path) => this.#at(path)),
      ),
    )
    replace('listDirectory', (lane, path) => this.#real.listDirectory(lane, this.#at(path)))
    replace('writeAttribute', (_lane, path, value) => this.#write(path, value))
    replace('writeAttributeIf', (_lane, path, value, expected) => {
      const files = expected.flatMap(({ pattern, content }) =>
        this.#matches(pattern).map((file) => [this.#textAt(file), content]),
      )
      if (files.some(([found, content]) => found !== content)) return job(Promise.reject(failure('ESTALE', path)))
      return this.#write(path, value)
    })
    replace('deviceFacts', (_lane, path) => answer(path, this.#facts.get(path)))
    replace('heldExclusively', (_lane, path) => answer(path, this.#facts.has(path) ? false : undefined))
    replace('flushDevice', (_lane, path) => answer(path, this.#facts.has(path) ? null : undefined) as Job<never>)
    const identify = (path: string): Job<Identification> => {
      const page83 = this.#page83(path)
      return answer(path, page83 && { standard: standardInquiry, page83, page80: Buffer.from([0, 0x80, 0, 0]) })
    }
    replace('identify', (_lane, path) => identify(path))
    replace('designatorsIfRunning', (_lane, path, state) =>
      this.#textAt(state) === 'running\n' ? answer(path, this.#page83(path)) : job(Promise.resolve(null)),
    )
    replace('lockByte', () => job(Promise.resolve(() => undefined)))
    replace('isListening', () => false)
    replace('exchange', () => answer<Buffer>('nobody listens', undefined))
    replace('openMonitor', (_group, receive) => {
      this.#listeners.add(receive)
      return { only: () => undefined, lookAtNext: () => undefined, close: () => this.#listeners.delete(receive) }
    })
  }

  write(path: string, content: string | Buffer = ''): void {
    mkdirSync(dirname(this.#at(path)), { recursive: true })
    writeFileSync(this.#at(path), content)
  }

  /** A device below /sys/devices and its place in a class, with these attributes. */
  device(path: string, className: string, attributes: Readonly<Record<string, string | Buffer>> = {}): void {
    const name = path.split('/').at(-1) ?? ''
    for (const [attribute, value] of Object.entries({ uevent: '', ...attributes }))
      this.write(`${path}/${attribute}`, value)
    this.link(`/sys/class/${className}/${name}`, path)
  }

  link(path: string, to: string): void {
    const at = this.#at(path)
    mkdirSync(dirname(at), { recursive: true })
    rmSync(at, { force: true })
    symlinkSync(relative(dirname(at), this.#at(to)), at)
  }

  remove(path: string): void {
    rmSync(this.#at(path), { recursive: true, force: true })
  }

  /** What the kernel does when an attribute of this kind is written. */
  when(pattern: RegExp, react: Reaction): void {
    this.#reactions.push({ pattern, react })
  }

  /** Tells all who listen, as the kernel does. */
  announce(action: string, path: string, properties: Readonly<Record<string, string>>): void {
    const all = { ACTION: action, DEVPATH: path.replace('/sys', ''), ...properties }
    const text = Object.entries(all)
      .map(([key, value]) => `${key}=${value}\0`)
      .join('')
    for (const receive of this.#listeners) receive([text], false, null)
  }

  /** The unit and its disk come up; they go when `delete` is written. */
  addUnit(unit: RecordedUnit): void {
    const { target, hctl, name } = unit
    const folder = `${target}/${hctl}`
    const sequence = ++this.#sequence
    this.device(`${folder}/scsi_device/${hctl}`, 'scsi_device')
    this.link(`${folder}/scsi_device/${hctl}/device`, folder)
    for (const [attribute, value] of Object.entries({
      state: 'running\n',
      vendor: 'IBM     \n',
      model: '2107900\n',
      delete: '',
    })) {
      this.write(`${folder}/${attribute}`, value)
    }
    this.write(`${folder}/vpd_pg83`, pageOf(unit))
    const minor = 16 * (name.charCodeAt(2) - 'a'.charCodeAt(0))
    const uevent = `MAJOR=8\nMINOR=${minor}\nDEVNAME=${name}\nDEVTYPE=disk\nDISKSEQ=${sequence}\n`
    this.device(`${folder}/block/${name}`, 'block', {
      uevent,
      size: String(megabytes / 512),
      ro: '0',
      diskseq: `${sequence}\n`,
    })
    this.link(`${folder}/block/${name}/device`, folder)
    mkdirSync(this.#at(`${folder}/block/${name}/holders`))
    mkdirSync(this.#at(`${folder}/block/${name}/slaves`))
    const facts = { size: megabytes, major: 8, minor, diskSequence: sequence, logicalBlock: 512, readOnly: false }
    this.#facts.set(`/dev/${name}`, facts)
    this.#units.set(`/dev/${name}`, unit)
    this.announce('add', `${folder}/block/${name}`, { SUBSYSTEM: 'block', DEVTYPE: 'disk', DEVNAME: name })
  }

  removeUnit(hctl: string): void {
    for (const [path, unit] of this.#units) {
      if (unit.hctl !== hctl) continue
      this.remove(`/sys/class/scsi_device/${hctl}`)
      this.remove(`/sys/class/block/${unit.name}`)
      this.remove(`${unit.target}/${hctl}`)
      this.#facts.delete(path)
      this.#units.delete(path)
      this.announce('remove', `${unit.target}/${hctl}`, { SUBSYSTEM: 'scsi' })
    }
  }

  /** What udevd notes of the disk of this name. */
  nameByUdev(name: string, ...links: readonly string[]): void {
    const facts = this.#facts.get(`/dev/${name}`)
    const all = [`disk/by-diskseq/${facts?.diskSequence ?? 0}`, ...links.map((link) => `disk/by-path/${link}`)]
    this.write(`/run/udev/data/b8:${facts?.minor ?? 0}`, all.map((link) => `S:${link}\n`).join(''))
  }

  #at(path: string): string {
    return join(this.#root, path)
  }

  #textAt(path: string): string | undefined {
    return existsSync(this.#at(path)) ? readFileSync(this.#at(path), 'utf8') : undefined
  }

  /** Of patterns with a '*' in place of whole names. */
  #matches(pattern: string): string[] {
    const [folder = '', ...rest] = pattern.split('/*')
    if (rest.length === 0) return existsSync(this.#at(pattern)) ? [pattern] : []
    const names = existsSync(this.#at(folder)) ? readdirSync(this.#at(folder)) : []
    return names.flatMap((name) => this.#matches([`${folder}/${name}${rest[0] ?? ''}`, ...rest.slice(1)].join('/*')))
  }

  #page83(path: string): Buffer | undefined {
    const unit = this.#units.get(path)
    return unit && pageOf(unit)
  }

  #write(path: string, value: string): Job<void> {
    if (!existsSync(this.#at(path))) return job(Promise.reject(failure('ENOENT', path)))
    this.written.push(`${path} ${value}`)
    const [, hctl] = /\/scsi_device\/([\d:]+)\/device\/delete$/.exec(path) ?? []
    if (hctl !== undefined) this.removeUnit(hctl)
    for (const { pattern, react } of this.#reactions) {
      const refusal = pattern.test(path) ? react(value, path) : undefined
      if (refusal) return job(Promise.reject(failure(refusal, path)))
    }
    return job(Promise.resolve())
  }
}

/** SPC: a disk, 36 bytes. */
const standardInquiry = Buffer.concat([
  Buffer.from([0, 0, 6, 2, 31, 0, 0, 0]),
  Buffer.from('IBM     2107900         1.00'),
])

/** SPC: one NAA designator with association LUN. */
function pageOf({ naa }: RecordedUnit): Buffer {
  const bytes = Buffer.from(naa, 'hex')
  return Buffer.concat([Buffer.from([0, 0x83, 0, bytes.length + 4, 1, 3, 0, bytes.length]), bytes])
}

function job<T>(result: Promise<T>): Job<T> {
  return { result, number: 0 }
}

function answer<T>(path: string, value: T | undefined): Job<T> {
  return job(value === undefined ? Promise.reject(failure('ENOENT', path)) : Promise.resolve(value))
}

/** As the addon throws it. */
function failure(code: 'ENOENT' | 'EEXIST' | 'EINVAL' | 'ESTALE', path: string): Error {
  return Object.assign(new Error(`write ${path}`), { errno: -constants.errno[code], syscall: 'write', path })
}
