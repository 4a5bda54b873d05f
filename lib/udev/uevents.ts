import { binding } from '../binding.ts'
import type { UeventGroup } from '../binding.ts'

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

/** Gets every uevent; `undefined` means that some were lost and that everything must be looked at again. */
export type UeventListener = (event: Uevent | undefined) => void

interface Monitor {
  readonly listeners: Set<UeventListener>
  readonly close: () => void
}

/** One socket per group, open while somebody listens. */
const monitors = new Map<UeventGroup, Monitor>()

/** Listens from now on, until disposed. */
export function listen(group: UeventGroup, listener: UeventListener): Disposable {
  const monitor = monitors.get(group) ?? open(group)
  monitor.listeners.add(listener)
  return {
    [Symbol.dispose]() {
      monitor.listeners.delete(listener)
      if (monitor.listeners.size > 0 || monitors.get(group) !== monitor) return
      monitors.delete(group)
      monitor.close()
    },
  }
}

function open(group: UeventGroup): Monitor {
  const listeners = new Set<UeventListener>()
  const close = binding().openMonitor(group, (texts, lost) => {
    const events: (Uevent | undefined)[] = texts.map((text) => new Uevent(text))
    // The kernel reports a loss before the messages that are still to be read.
    if (lost) events.unshift(undefined)
    for (const event of events) {
      for (const listener of listeners) listener(event)
    }
  })
  const monitor = { listeners, close }
  monitors.set(group, monitor)
  return monitor
}
