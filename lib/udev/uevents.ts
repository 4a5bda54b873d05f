import { binding } from '../binding.ts'
import type { UeventGroup } from '../binding.ts'
import { Monitor } from '../monitor.ts'
import type { Listener } from '../monitor.ts'

/** One uevent: what the kernel, or udevd after its rules, says has happened to a device. */
export class Uevent {
  readonly #text: string
  #properties: Map<string, string> | undefined

  /** `text`: "KEY=value" properties, each ended by NUL. Taken apart only when somebody asks. */
  constructor(text: string) {
    this.#text = text
  }

  property(name: string): string | undefined {
    this.#properties ??= parseProperties(this.#text)
    return this.#properties.get(name)
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

  /** A cheap first look, before the text is taken apart. */
  mentions(text: string): boolean {
    return this.#text.includes(text)
  }
}

function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>()
  for (const property of text.split('\0')) {
    const equals = property.indexOf('=')
    if (equals > 0) properties.set(property.slice(0, equals), property.slice(equals + 1))
  }
  return properties
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

/** Listens from now on, until disposed. One socket per group, open while somebody listens. */
export function listen(group: UeventGroup, listener: UeventListener): Disposable {
  return monitors[group].listen(listener)
}
