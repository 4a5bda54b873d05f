import { binding } from '../binding.ts'
import type { DeviceLook, UeventGroup, UeventMonitor } from '../binding.ts'
import type { WalkPlan } from '../inventory/walk-plan.ts'
import { Monitor } from '../monitor.ts'
import type { Listener } from '../monitor.ts'

/** One uevent: what the kernel, or udevd after its rules, says has happened to a device. */
export class Uevent {
  /** Of its device and of those of other events, after all of them. */
  readonly look: DeviceLook | undefined
  readonly #text: string

  /** `text`: "KEY=value" properties, each ended by NUL. Most events are nobody's matter, so it is never taken apart as a whole. */
  constructor(text: string, look?: DeviceLook) {
    this.#text = `\0${text}`
    this.look = look
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

const monitorOf = (group: UeventGroup): Monitor<Uevent, UeventMonitor> =>
  new Monitor((receive) =>
    binding().openMonitor(group, (texts, lost, look) => {
      const events = texts.map((text) => new Uevent(text, look ?? undefined))
      receive(events, lost)
    }),
  )
const monitors: Readonly<Record<UeventGroup, Monitor<Uevent, UeventMonitor>>> = {
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

/**
 * Has the kernel's next events of block devices come with a look at these, by what the last folder of the plan asks: once,
 * and without another thread to wake. For who listens.
 */
export function lookAtNext(plan: WalkPlan): void {
  monitors.kernel.source?.lookAtNext(plan.text)
}

/** A text that the events of a subsystem have. */
export function ofSubsystem(subsystem: string): string {
  return `SUBSYSTEM=${subsystem}\0`
}
