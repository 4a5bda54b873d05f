import { constants } from 'node:os'
import type { WalkFolder } from '../binding.ts'
import { errnoName } from '../errno.ts'

/** In place of the length of what there is not. */
const absent = -constants.errno.ENOENT

/** The entries in the bytes of a walk, which native/sysfs/walk.h describes. Nothing of an entry is read before it is asked for. */
export function* readWalk(bytes: Buffer, folders: readonly WalkFolder[]): Generator<WalkEntry, void, undefined> {
  const content = new WalkBytes(bytes)
  const asked = folders.map((folder) => new AskedFields(folder))
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + content.integer(at)
    if (end <= at + 4 || end > bytes.length) throw cutShort()
    const number = bytes.readUInt8(at + 4)
    const fields = asked[number]
    if (fields === undefined) throw new RangeError(`walk: entry of an unknown folder ${number}`)
    yield new WalkEntry(content, at + 5, end, number, fields)
    at = end
  }
}

/** The fields of a folder's entries, in their order. */
class AskedFields {
  readonly attributes: readonly string[]
  readonly directories: readonly string[]
  readonly #numbers: ReadonlyMap<string, number>

  constructor({ attributes, directories }: WalkFolder) {
    this.attributes = attributes.map(({ name }) => name)
    this.directories = directories.map(({ name }) => name)
    this.#numbers = new Map([...this.attributes, ...this.directories].map((name, number) => [name, number]))
  }

  nameOf(field: number): string {
    return this.attributes[field] ?? this.directories[field - this.attributes.length] ?? ''
  }

  numberOf(name: string): number {
    const number = this.#numbers.get(name)
    if (number === undefined) throw new RangeError(`walk: '${name}' was not asked for`)
    return number
  }
}

/** One device of a walk. */
export class WalkEntry {
  /** The folder it was found in, as an index into the walk's folders. */
  readonly folder: number
  readonly name: string
  /** Where the device sits below /sys/devices, which tells what it hangs on. */
  readonly path: string
  readonly #content: WalkBytes
  readonly #asked: AskedFields
  /** Where each field begins, attributes first. */
  readonly #fields: number[] = []

  constructor(content: WalkBytes, start: number, end: number, number: number, asked: AskedFields) {
    this.#content = content
    this.#asked = asked
    this.folder = number
    let at = start
    const text = (): string => {
      const begin = at + 4
      at = content.skipText(at, end)
      return content.text(begin, at)
    }
    this.name = text()
    this.path = text().replace(/^(\.\.\/)+devices/, '')
    for (let left = asked.attributes.length; left > 0; left--) {
      this.#fields.push(at)
      at = content.skip(at, end)
    }
    for (let left = asked.directories.length; left > 0; left--) {
      this.#fields.push(at)
      at = content.skipDirectory(at, end)
    }
    if (at !== end) throw cutShort()
  }

  /** An attribute without the newline at its end; null where there is none, or where it could not be read. */
  text(attribute: string): string | null {
    const at = this.#place(attribute)
    const length = this.#content.integer(at)
    if (length < 0) return null
    const end = at + 4 + length
    return this.#content.text(at + 4, this.#content.isNewline(end - 1) ? end - 1 : end)
  }

  /** The same as it is. */
  bytes(attribute: string): Buffer | null {
    return this.#content.attribute(this.#place(attribute))
  }

  /** What is in a directory; null where there is none, or where it could not be read. */
  names(directory: string): string[] | null {
    return this.#content.names(this.#place(directory))
  }

  /** The errno name of everything that is there and could not be read. */
  get unreadable(): Readonly<Record<string, string>> {
    const failed: Record<string, string> = {}
    for (let field = 0; field < this.#fields.length; field++) {
      const result = this.#content.integer(this.#fields[field] ?? 0)
      if (result < 0 && result !== absent) failed[this.#asked.nameOf(field)] = errnoName(result)
    }
    return failed
  }

  #place(name: string): number {
    return this.#fields[this.#asked.numberOf(name)] ?? 0
  }
}

/** Reads lengths and texts at places in the bytes. */
class WalkBytes {
  readonly #bytes: Buffer
  /** All of it at once: to take texts out of a text costs a tenth of what decoding each one does. */
  readonly #latin1: string

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#latin1 = bytes.toString('latin1')
  }

  integer(at: number): number {
    return this.#bytes.readInt32LE(at)
  }

  isNewline(at: number): boolean {
    return this.#bytes[at] === 0x0a
  }

  text(start: number, end: number): string {
    const text = this.#latin1.slice(start, end)
    return ascii.test(text) ? text : this.#bytes.toString('utf8', start, end)
  }

  attribute(at: number): Buffer | null {
    const length = this.integer(at)
    return length < 0 ? null : this.#bytes.subarray(at + 4, at + 4 + length)
  }

  names(at: number): string[] | null {
    const count = this.integer(at)
    if (count < 0) return null
    let next = at + 4
    return Array.from({ length: count }, () => {
      const begin = next + 4
      next = begin + this.integer(next)
      return this.text(begin, next)
    })
  }

  /** Where what follows the text at `at` begins. */
  skipText(at: number, end: number): number {
    if (at + 4 > end || this.integer(at) < 0) throw cutShort()
    return this.skip(at, end)
  }

  /** The same of an attribute, or of the error in its place. */
  skip(at: number, end: number): number {
    if (at + 4 > end) throw cutShort()
    const next = at + 4 + Math.max(this.integer(at), 0)
    if (next > end) throw cutShort()
    return next
  }

  skipDirectory(at: number, end: number): number {
    if (at + 4 > end) throw cutShort()
    let next = at + 4
    for (let left = this.integer(at); left > 0; left--) next = this.skipText(next, end)
    return next
  }
}

const ascii = /^[\0-\x7f]*$/

function cutShort(): RangeError {
  return new RangeError('walk: cut short')
}
