/** Something to read of a device: a path relative to it. */
export interface WalkField {
  readonly name: string
  /** Asked for only when the device's path in sysfs contains this. */
  readonly below?: string
  /** Asked for only when the device's first attribute contains this. */
  readonly when?: string
}

/** A folder of links to devices, such as class/block, and what to read of each. */
export interface WalkFolder {
  readonly path: string
  readonly attributes: readonly WalkField[]
  readonly directories: readonly WalkField[]
}

/** What a walk reads. Made once and walked often. */
export class WalkPlan {
  /** For native code, which takes one text in a fraction of the time of as many objects (native/sysfs/plan.h). */
  readonly text: string
  /** What is asked for in each folder. */
  readonly fields: readonly WalkFields[]

  constructor(folders: readonly WalkFolder[]) {
    const words = folders.flatMap(({ path, attributes, directories }) => [
      path,
      ...wordsOf(attributes),
      ...wordsOf(directories),
    ])
    this.text = words.map((word) => `${word}\0`).join('')
    this.fields = folders.map((folder) => new WalkFields(folder))
  }
}

function wordsOf(fields: readonly WalkField[]): string[] {
  return [String(fields.length), ...fields.flatMap(({ name, below = '', when = '' }) => [name, below, when])]
}

/** The fields of a folder's devices, by their numbers. */
export class WalkFields {
  readonly names: readonly string[]
  readonly #numbers: ReadonlyMap<string, number>

  constructor({ attributes, directories }: WalkFolder) {
    this.names = [...attributes, ...directories].map(({ name }) => name)
    this.#numbers = new Map(this.names.map((name, number) => [name, number]))
  }

  /** @throws RangeError when it was not asked for */
  numberOf(name: string): number {
    const number = this.#numbers.get(name)
    if (number === undefined) throw new RangeError(`walk: '${name}' was not asked for`)
    return number
  }
}
