import { constants } from 'node:os'
import { errnoName } from '../errno.ts'
import type { WalkFields, WalkPlan } from './walk-plan.ts'

/** In place of the length of what there is not. */
const absent = -constants.errno.ENOENT

/** The entries in the bytes of a walk, which native/sysfs/walk.h describes. Nothing of an entry is read before it is asked for. */
export function* readWalk(bytes: Buffer, plan: WalkPlan): Generator<WalkEntry, void, undefined> {
  const content = new WalkBytes(bytes)
  for (let at = 0; at < bytes.length;) {
    const start = at + 4
    const end = start + content.integer(at)
    if (end <= start || end > bytes.length) throw cutShort()
    const folder = content.integer(start)
    const fields = plan.fields[folder]
    if (fields === undefined) throw new RangeError(`walk: entry of an unknown folder ${folder}`)
    yield new WalkEntry(content, start, end, folder, fields)
    at = end
  }
}

/** One device of a walk. */
export class WalkEntry {
  /** The folder it was found in, as an index into the walk's folders. */
  readonly folder: number
  readonly name: string
  readonly #content: WalkBytes
  readonly #start: number
  readonly #end: number
  readonly #asked: WalkFields

  constructor(content: WalkBytes, start: number, end: number, folder: number, asked: WalkFields) {
    this.#content = content
    this.#start = start
    this.#end = end
    this.#asked = asked
    this.folder = folder
    this.name = content.text(this.#nameAt, end)
  }

  /** Where the device sits below /sys/devices, which tells what it hangs on. */
  get path(): string {
    return this.#content.text(this.#content.after(this.#nameAt, this.#end), this.#end)
  }

  /** An attribute without the newline at its end; null where there is none, or where it could not be read. */
  text(attribute: string): string | null {
    const at = this.#place(attribute)
    return this.#content.integer(at) >= 0 ? this.#content.line(at, this.#end) : null
  }

  /** Whether there is such an attribute or directory, and could be read. */
  has(name: string): boolean {
    return this.#content.integer(this.#place(name)) >= 0
  }

  /** Whether there is such an attribute, and begins so. Costs less than its text. */
  begins(attribute: string, text: string): boolean {
    return this.#content.begins(this.#place(attribute), text)
  }

  /** An attribute as it is. */
  bytes(attribute: string): Buffer | null {
    return this.has(attribute) ? this.#content.bytes(this.#place(attribute), this.#end) : null
  }

  /** What is in a directory; null where there is none, or where it could not be read. */
  names(directory: string): string[] | null {
    return this.has(directory) ? this.#content.texts(this.#place(directory), this.#end) : null
  }

  /** The errno name of everything that is there and could not be read. */
  get unreadable(): Readonly<Record<string, string>> {
    const failed: Record<string, string> = {}
    for (const [number, name] of this.#asked.names.entries()) {
      const result = this.#content.integer(this.#placeOf(number))
      if (result < 0 && result !== absent) failed[name] = errnoName(result)
    }
    return failed
  }

  /** What is not as it was before; undefined when that was another device, or other things were asked of it. */
  changedSince(before: WalkEntry): string[] | undefined {
    if (this.#asked !== before.#asked || this.name !== before.name || this.path !== before.path) return undefined
    return this.#asked.names.filter((_, number) => !this.#isSameField(number, before))
  }

  get #nameAt(): number {
    return this.#start + 4 * (1 + this.#asked.names.length)
  }

  #isSameField(number: number, before: WalkEntry): boolean {
    const length = this.#integerOf(number)
    // Of most there is an error's number alone.
    return length === before.#integerOf(number) && (length < 0 || this.#fieldAt(number) === before.#fieldAt(number))
  }

  /** The length of a field, its number of names, or the error for which it could not be read. */
  #integerOf(number: number): number {
    return this.#content.integer(this.#placeOf(number))
  }

  /** A field as it is written. */
  #fieldAt(number: number): string {
    const end = number + 1 < this.#asked.names.length ? this.#placeOf(number + 1) : this.#end
    return this.#content.latin1(this.#placeOf(number), end)
  }

  #place(name: string): number {
    return this.#placeOf(this.#asked.numberOf(name))
  }

  #placeOf(number: number): number {
    return this.#start + this.#content.integer(this.#start + 4 * (1 + number))
  }
}

/** What stands at places in the bytes: never beyond `limit`. */
class WalkBytes {
  readonly #bytes: Buffer
  readonly #view: DataView
  /** All of it at once: to take texts out of a text costs a tenth of what decoding each one does. */
  readonly #latin1: string

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#latin1 = bytes.toString('latin1')
  }

  /** @throws RangeError beyond the bytes' end */
  integer(at: number): number {
    return this.#view.getInt32(at, true)
  }

  text(at: number, limit: number): string {
    return this.#textBetween(at + 4, this.after(at, limit))
  }

  /** A text without the newline at its end. */
  line(at: number, limit: number): string {
    const end = this.after(at, limit)
    return this.#textBetween(at + 4, end > at + 4 && this.#bytes[end - 1] === 0x0a ? end - 1 : end)
  }

  begins(at: number, text: string): boolean {
    return this.integer(at) >= text.length && this.#latin1.startsWith(text, at + 4)
  }

  bytes(at: number, limit: number): Buffer {
    return this.slice(at + 4, this.after(at, limit))
  }

  texts(at: number, limit: number): string[] {
    const texts: string[] = []
    let next = at + 4
    for (let left = this.integer(at); left > 0; left--) {
      texts.push(this.text(next, limit))
      next = this.after(next, limit)
    }
    return texts
  }

  /** Whatever stands there, a character for each byte. */
  latin1(start: number, end: number): string {
    return this.#latin1.slice(start, end)
  }

  slice(start: number, end: number): Buffer {
    return this.#bytes.subarray(start, end)
  }

  /** Where what follows a text begins. */
  after(at: number, limit: number): number {
    const length = this.integer(at)
    const end = at + 4 + length
    if (length < 0 || end > limit) throw cutShort()
    return end
  }

  #textBetween(start: number, end: number): string {
    const text = this.#latin1.slice(start, end)
    return ascii.test(text) ? text : this.#bytes.toString('utf8', start, end)
  }
}

const ascii = /^[\0-\x7f]*$/

function cutShort(): RangeError {
  return new RangeError('walk: cut short')
}
