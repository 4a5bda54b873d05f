import { failedWith } from '../binding.ts'
import type { SessionEvent } from '../binding.ts'
import { listenToSessions } from '../iscsi/session-events.ts'
import { listen } from '../udev/uevents.ts'
import type { Uevent } from '../udev/uevents.ts'
import { allParts } from './picture.ts'
import type { Part, Picture } from './picture.ts'

/**
 * Milliseconds after which a part is looked at once more. The kernel announces some changes before they are complete: a
 * map's new table while the old one still holds its paths (do_resume in drivers/md/dm-ioctl.c), a failed connection
 * before its session is FAILED. The last one holds for as long as somebody asks for another look.
 */
const intervals = [20, 80, 320, 1000] as const

/**
 * When to look at the host, and at which parts of it: after events, however many, and once more some time later. What it
 * keeps does not grow with the number of events.
 */
export class Occasions implements Disposable {
  readonly #uevents: Disposable
  #sessionEvents: Disposable | undefined
  readonly #due = new Set<Part>()
  readonly #again = new Set<Part>()
  #round = 0
  #wake: (() => void) | undefined
  readonly #errors = new Map<number, number>()
  /** Places below /sys of what came while the first look was under way. */
  #arrivals: Set<string> | undefined = new Set()

  /** @throws SystemError when this process may not listen */
  constructor() {
    this.#uevents = listen('kernel', (event) => {
      this.#hear(event)
    })
    try {
      this.#openSessionEvents()
    } catch (error) {
      this.#uevents[Symbol.dispose]()
      throw error
    }
  }

  /** The first look's picture, without what came only after the listening had begun. To be called once. */
  from({ devices, sessions, paths }: Picture): Picture {
    const arrivals = this.#arrivals ?? new Set()
    this.#arrivals = undefined
    const isNew = ({ sysfs }: { sysfs: string }): boolean => arrivals.has(`/devices${sysfs}`)
    const newMaps = devices.filter(isNew).map(({ path }) => path)
    return {
      devices: devices.filter((device) => !isNew(device)),
      sessions: sessions.filter(({ id }) => !arrivals.has(`session${id}`)),
      paths: paths.filter(({ map, device }) => !newMaps.includes(map.path) && !isNew(device)),
    }
  }

  /** Asks for another look, in a second at the latest, also without an event. */
  lookAgain(part: Part): void {
    this.#again.add(part)
  }

  /** Waits until there is reason to look, and says at what. Throws the signal's reason. */
  async next(signal: AbortSignal): Promise<ReadonlySet<Part>> {
    signal.throwIfAborted()
    if (this.#due.size === 0) await this.#occasion(signal)
    signal.throwIfAborted()
    this.#openSessionEvents()
    const parts = new Set(this.#due)
    this.#due.clear()
    return parts
  }

  /** The last error of each session that is there and whose connection has failed since this was last asked. */
  takeErrors(): ReadonlyMap<number, number> {
    const errors = new Map(this.#errors)
    this.#errors.clear()
    return errors
  }

  [Symbol.dispose](): void {
    this.#uevents[Symbol.dispose]()
    this.#sessionEvents?.[Symbol.dispose]()
  }

  async #occasion(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#wake = undefined
        resolve()
      }
      const timer = this.#again.size > 0 ? setTimeout(this.#elapse, this.#interval) : undefined
      signal.addEventListener('abort', done, { once: true })
      this.#wake = done
    })
  }

  get #interval(): number {
    return intervals[this.#round] ?? intervals[3]
  }

  readonly #elapse = (): void => {
    for (const part of this.#again) this.#due.add(part)
    this.#round++
    if (this.#round >= intervals.length) this.#again.clear()
    this.#wake?.()
  }

  #look(...parts: readonly Part[]): void {
    for (const part of parts) this.#due.add(part)
    this.#wake?.()
  }

  /** For what the kernel announces before it is complete. */
  #lookTwice(...parts: readonly Part[]): void {
    for (const part of parts) this.#again.add(part)
    this.#round = 0
    this.#look(...parts)
  }

  #hear(event: Uevent | undefined): void {
    if (event === undefined) {
      this.#lookTwice(...allParts)
      return
    }
    const { subsystem, action, devicePath } = event
    if (subsystem === 'block') {
      if (action === 'add') this.#arrivals?.add(devicePath)
      if (devicePath.includes('/virtual/block/dm-')) this.#lookTwice('devices', 'paths')
      else this.#look('devices')
    } else if (subsystem.startsWith('iscsi_')) {
      const session = /\/iscsi_session\/(session\d+)$/.exec(devicePath)?.[1]
      if (session !== undefined && action === 'add') this.#arrivals?.add(session)
      this.#lookTwice('sessions')
    }
  }

  /** The kernel's iSCSI may be loaded at any time, and says so by uevents of its transports. */
  #openSessionEvents(): void {
    if (this.#sessionEvents) return
    try {
      this.#sessionEvents = listenToSessions((event) => {
        this.#hearOfSession(event)
      })
    } catch (error) {
      if (!failedWith(error, 'EPROTONOSUPPORT')) throw error
    }
  }

  #hearOfSession(event: SessionEvent | undefined): void {
    if (event?.kind === 'failed') this.#errors.set(event.session, event.error)
    // That it has gone says more.
    if (event?.kind === 'destroyed') this.#errors.delete(event.session)
    this.#lookTwice('sessions')
  }
}
