import { binding } from '../binding.ts'
import type { UeventGroup } from '../binding.ts'
import { Monitor } from '../monitor.ts'
import type { Listener } from '../monitor.ts'

/** One uevent: what the kernel, or udevd after its rules, says has happened to a device. */
export class Uevent {
  readonly #text: string

  /** `text`: "KEY=value" properties, each ended by NUL. Most events are nobody's matter, so it is never taken apart as a whole. */
  constructor(text: string) {
    this.#text = `\0${text}`
  }

  property(name: string): string | undefined {
    const key = `\0${name}=`
    const at = this.#text.indexOf(key)
    if (at < 0) return undefined
    const start = at + key.length
    return this.#text.slice(start, this.#text.indexOf('\0', start))
  }

  /** 'add', 'remove', 'change', 'bind' and so on. */
  get action(): string {
    return this.property('ACTION') ?? ''
  }

  /** The device's path below /sys. */
  get devicePath(): string {
    return this.property('DEVPATH') ?? ''
  }

  get subsystem(): string {
    return this.property('SUBSYSTEM') ?? ''
  }

  /** A cheap first look. */
  mentions(text: string): boolean {
    return this.#text.includes(text)
  }
}

export type UeventListener = Listener<Uevent>

const monitorOf = (group: UeventGroup): Monitor<string, Uevent> =>
  new Monitor(
    (receive) => binding().openMonitor(group, receive),
    (text) => new Uevent(text),
  )
const monitors: Readonly<Record<UeventGroup, Monitor<string, Uevent>>> = {
  kernel: monitorOf('kernel'),
  udev: monitorOf('udev'),
}

/**
 * Listens from now on, until disposed. One socket per group, open while somebody listens.
 *
 * @param texts what each event that is wanted has one of in its properties, "KEY=value" with NUL behind each; an empty one
 * is in all of them. Others may be heard of as well: somebody else may want them.
 */
export function listen(group: UeventGroup, listener: UeventListener, texts: readonly string[] = ['']): Disposable {
  return monitors[group].listen(listener, texts)
}

/** A text that the events of a subsystem have. */
export function ofSubsystem(subsystem: string): string {
  return `SUBSYSTEM=${subsystem}\0`
}
