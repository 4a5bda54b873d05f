import type { WalkFolder } from '../binding.ts'
import { errnoName } from '../errno.ts'

/** One device of a walk, as native/sysfs/walk.h writes it. */
export interface WalkEntry {
  /** The folder it was found in, as an index into the walk's folders. */
  readonly folder: number
  readonly name: string
  /** Where the device sits below /sys/devices, which tells what it hangs on. */
  readonly path: string
  /** By the names asked for; null where the device has no such attribute, or where it could not be read. */
  readonly attributes: ReadonlyMap<string, Buffer | null>
  /** What is in each directory asked for; null where the device has no such directory. */
  readonly directories: ReadonlyMap<string, readonly string[] | null>
  /** The errno name of everything that is there and could not be read. */
  readonly unreadable: Readonly<Record<string, string>>
}

/** Reads the bytes of a walk. */
export function* readWalk(bytes: Buffer, folders: readonly WalkFolder[]): Generator<WalkEntry, void, undefined> {
  const reader = new WalkReader(bytes)
  while (!reader.done) {
    const folder = reader.byte()
    const asked = folders[folder]
    if (asked === undefined) throw new RangeError(`walk: entry of an unknown folder ${folder}`)
    const name = reader.text()
    const path = reader.text().replace(/^(\.\.\/)+devices/, '')
    const unreadable: Record<string, string> = {}
    const attributes = new Map<string, Buffer | null>()
    for (const attribute of asked.attributes) {
      const length = reader.integer()
      attributes.set(attribute.name, length < 0 ? null : reader.bytes(length))
      note(unreadable, attribute.name, length)
    }
    const directories = new Map<string, readonly string[] | null>()
    for (const directory of asked.directories) {
      const count = reader.integer()
      directories.set(directory.name, count < 0 ? null : Array.from({ length: count }, () => reader.text()))
      note(unreadable, directory.name, count)
    }
    yield { folder, name, path, attributes, directories, unreadable }
  }
}

function note(unreadable: Record<string, string>, name: string, result: number): void {
  const error = result < 0 ? errnoName(result) : 'ENOENT'
  if (error !== 'ENOENT') unreadable[name] = error
}

class WalkReader {
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#offset >= this.#bytes.length
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#offset++)
  }

  integer(): number {
    const value = this.#bytes.readInt32LE(this.#offset)
    this.#offset += 4
    return value
  }

  bytes(length: number): Buffer {
    const end = this.#offset + length
    if (length < 0 || end > this.#bytes.length) throw new RangeError('walk: cut short')
    const value = this.#bytes.subarray(this.#offset, end)
    this.#offset = end
    return value
  }

  text(): string {
    return this.bytes(this.integer()).toString()
  }
}
