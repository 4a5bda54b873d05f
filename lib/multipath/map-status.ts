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
  return { queueing: features(table).includes('queue_if_no_path'), paths: paths(status) }
}

/** The table begins with the features: their number, then each word of them. */
function features(table: readonly MapTarget[]): string[] {
  const words = new Words(table)
  return words.take(words.count())
}

/**
 * The status: two numbers that stand for the features, none for the hardware handler, then the path groups, each with its
 * state, its selector's arguments, and its paths with theirs.
 */
function paths(status: readonly MapTarget[]): MapPath[] {
  const words = new Words(status)
  words.take(words.count()) // features
  words.take(words.count()) // hardware handler
  const groups = words.count()
  words.take(1) // the group to use next
  const found: MapPath[] = []
  for (let group = 0; group < groups; group++) {
    words.take(1) // the group's state
    words.take(words.count()) // its selector's status
    const [count, argumentsPerPath] = [words.count(), words.count()]
    for (let path = 0; path < count; path++) {
      const [devno = '', state, failures] = words.take(3)
      if (!/^\d+:\d+$/.test(devno) || (state !== 'A' && state !== 'F')) throw words.malformed()
      found.push({ devno, active: state === 'A', failures: Number(failures) })
      words.take(argumentsPerPath)
    }
  }
  return found
}

class Words {
  readonly #text: string
  readonly #words: string[]
  #next = 0

  /** Of the one target that a multipath map has. */
  constructor(targets: readonly MapTarget[]) {
    const [target, ...others] = targets
    this.#text = target?.parameters ?? ''
    this.#words = this.#text.split(' ').filter((word) => word !== '')
    if (target?.type !== 'multipath' || others.length > 0) throw this.malformed()
  }

  take(count: number): string[] {
    const taken = this.#words.slice(this.#next, this.#next + count)
    if (taken.length < count) throw this.malformed()
    this.#next += count
    return taken
  }

  count(): number {
    const [word = ''] = this.take(1)
    if (!/^\d{1,6}$/.test(word)) throw this.malformed()
    return Number(word)
  }

  malformed(): BrickError {
    return new BrickError('SYSTEM', 'the kernel describes a multipath map in a way that cannot be read', {
      details: { text: this.#text },
    })
  }
}
