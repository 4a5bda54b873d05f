import type { MapState, MapTarget } from '../binding.ts'
import { BrickError } from '../errors.ts'

/** What the kernel's multipath target says of itself. */
export interface MultipathStatus {
  /** Whether requests wait when no path works, instead of failing. */
  readonly queueing: boolean
  readonly paths: readonly MapPath[]
}

export interface MapPath {
  /** 'major:minor' */
  readonly devno: string
  /** Whether the kernel would send requests there: it has not failed, or multipathd has found that it works again. */
  readonly active: boolean
  /** How often it has failed so far. */
  readonly failures: number
}

/**
 * Reads a multipath map's table and status: multipath_status in drivers/md/dm-mpath.c.
 *
 * @throws BrickError SYSTEM when they are no such texts
 */
export function parseMultipathStatus({ table, status }: MapState): MultipathStatus {
  const { features } = walk(table, /^[a-z-]+$/, (devno) => devno)
  const { paths } = walk(status, /^[DAE]$/, (devno, words) => {
    const active = words.next(/^[AF]$/) === 'A'
    return { devno, active, failures: words.count() }
  })
  return { queueing: features.includes('queue_if_no_path'), paths }
}

/**
 * Table and status have the same order: the features, the hardware handler, and the path groups, each with its paths.
 *
 * @param group what a group begins with: in the table the path selector's name, in the status the group's state
 * @param readPath reads what follows a path's number before its selector's arguments
 */
function walk<Path>(
  targets: readonly MapTarget[],
  group: RegExp,
  readPath: (devno: string, words: Words) => Path,
): { features: string[]; paths: Path[] } {
  const words = new Words(targets)
  const features = words.list()
  words.list() // the hardware handler and its arguments
  const groups = words.count()
  words.count() // the group to use next
  const paths: Path[] = []
  for (let index = 0; index < groups; index++) {
    words.next(group)
    words.list() // the selector's arguments
    const [count, perPath] = [words.count(), words.count()]
    for (let path = 0; path < count; path++) {
      paths.push(readPath(words.next(/^\d+:\d+$/), words))
      words.take(perPath)
    }
  }
  words.end()
  return { features, paths }
}

/** The text of the one target that a multipath map has, word by word. */
class Words {
  readonly #text: string
  readonly #words: readonly string[]
  #read = 0

  constructor([target, ...others]: readonly MapTarget[]) {
    this.#text = target?.parameters ?? ''
    this.#words = this.#text.split(' ').filter((word) => word !== '')
    if (target?.type !== 'multipath' || others.length > 0) throw this.#malformed('the one multipath target')
  }

  next(pattern: RegExp): string {
    const word = this.#words[this.#read]
    if (word === undefined || !pattern.test(word)) throw this.#malformed(`${pattern}`)
    this.#read++
    return word
  }

  /** An unsigned 32-bit number, as the kernel prints them. */
  count(): number {
    return Number(this.next(/^\d{1,10}$/))
  }

  /** Words, and before them their number. */
  list(): string[] {
    return this.take(this.count())
  }

  take(count: number): string[] {
    const taken = this.#words.slice(this.#read, this.#read + count)
    if (taken.length < count) throw this.#malformed(`${count} words`)
    this.#read += count
    return taken
  }

  end(): void {
    if (this.#read < this.#words.length) throw this.#malformed('the end')
  }

  #malformed(expected: string): BrickError {
    const message = `device-mapper: expected ${expected} at word ${this.#read} of '${this.#text}'`
    return new BrickError('SYSTEM', message, { details: { text: this.#text, word: this.#read, expected } })
  }
}
