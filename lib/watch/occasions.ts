import { onAbort } from '../abort.ts'
import { failedWith } from '../binding.ts'
import type { DeviceLook, SessionEvent } from '../binding.ts'
import { Doubts } from '../inventory/doubts.ts'
import type { InDoubt } from '../inventory/doubts.ts'
import { lookPlan } from '../inventory/read.ts'
import { listenToSessions } from '../iscsi/session-events.ts'
import { listen, lookAtNext } from '../udev/uevents.ts'
import type { Uevent } from '../udev/uevents.ts'

/** What there are few of, so that it is looked at as a whole. */
export type Part = 'sessions' | 'controllers'

export const allParts: readonly Part[] = ['sessions', 'controllers']

/** What there is reason to look at. */
export interface Due {
  readonly devices: InDoubt
  /** What the last event's monitor has seen of its devices. */
  readonly look?: DeviceLook | undefined
  readonly parts: ReadonlySet<Part>
}

/**
 * Milliseconds after which something is looked at once more. The kernel announces some changes before they are complete: a
 * map's new table while the old one still holds its paths (do_resume in drivers/md/dm-ioctl.c), a failed connection
 * before its session is FAILED. The last one holds for as long as somebody asks for another look.
 */
const intervals = [20, 80, 320, 1000] as const

/** Maps and RAIDs, which also come before their folders `dm` and `md` are there (md_alloc in drivers/md/md.c). */
const announcedEarly = /\/virtual\/block\/(dm-|md)/

/**
 * When to look at the host, and at what of it: after events, however many, and once more some time later. What it keeps
 * does not grow with the number of events.
 */
export class Occasions implements Disposable {
  readonly #parts: readonly Part[]
  readonly #uevents: Disposable
  #sessionEvents: Disposable | undefined
  /** Whether the kernel's iSCSI may have been loaded since it was last listened for. */
  #sessionsMayBegin = true
  readonly #devices = new Doubts()
  #look: DeviceLook | undefined
  readonly #due = new Set<Part>()
  readonly #devicesAgain = new Doubts()
  readonly #again = new Set<Part>()
  #round = 0
  /** When that is, on the clock of `performance`; undefined while it is nothing, or not set yet. */
  #repeatAt: number | undefined
  #wake: (() => void) | undefined
  readonly #errors = new Map<number, number>()
  #arrivals: Set<string> | undefined = new Set()

  /**
   * @param parts what is to be looked at beside the devices
   * @throws SystemError when this process may not listen
   */
  constructor(parts: readonly Part[]) {
    this.#parts = parts
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

  /** What came since the listening began: places below /sys, and sessions as in 'session1'. Kept only until now. */
  takeArrivals(): ReadonlySet<string> {
    const arrivals = this.#arrivals ?? new Set()
    this.#arrivals = undefined
    return arrivals
  }

  /** Asks for another look, in a second at the latest, also without an event. */
  lookAgain(part: Part): void {
    this.#again.add(part)
  }

  get isDue(): boolean {
    return this.#due.size > 0 || !this.#devices.isEmpty
  }

  /** Waits until there is reason to look. Throws the signal's reason. */
  async next(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    // What was seen while nobody waited may be old.
    if (this.isDue) this.#look = undefined
    else await this.#occasion(signal)
    signal.throwIfAborted()
    this.#openSessionEvents()
  }

  /** What is to be looked at now. From then on it no longer is. */
  take(): Due {
    const due = { devices: this.#devices.take(), look: this.#look, parts: new Set(this.#due) }
    this.#look = undefined
    this.#due.clear()
    return due
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
        forget()
        this.#wake = undefined
        resolve()
      }
      const again = this.#again.size > 0 || !this.#devicesAgain.isEmpty
      // However often something else is looked at meanwhile.
      if (again) this.#repeatAt ??= performance.now() + this.#interval
      const timer = again ? setTimeout(this.#elapse, (this.#repeatAt ?? 0) - performance.now()) : undefined
      const forget = onAbort(signal, done)
      this.#wake = done
      lookAtNext(lookPlan)
    })
  }

  get #interval(): number {
    return intervals[this.#round] ?? intervals[3]
  }

  readonly #elapse = (): void => {
    this.#repeatAt = undefined
    this.#devices.join(this.#devicesAgain)
    for (const part of this.#again) this.#due.add(part)
    this.#round++
    if (this.#round >= intervals.length) {
      this.#devicesAgain.take()
      this.#again.clear()
    }
    this.#wake?.()
  }

  #hear(event: Uevent | undefined): void {
    if (event === undefined) {
      this.#sessionsMayBegin = true
      this.#devices.addAll()
      this.#devicesAgain.addAll()
      this.#lookTwice(...allParts)
      return
    }
    const { subsystem, action, devicePath, look } = event
    if (subsystem === 'block') {
      // One that was taken before this event is too old.
      this.#look = look
      if (action === 'add') this.#arrivals?.add(devicePath)
      this.#hearOfDevice(devicePath)
    } else if (subsystem.startsWith('iscsi_')) {
      this.#sessionsMayBegin = true
      const session = /\/iscsi_session\/(session\d+)$/.exec(devicePath)?.[1]
      if (session !== undefined && action === 'add') this.#arrivals?.add(session)
      this.#lookTwice('sessions')
    } else if (subsystem === 'nvme') {
      if (action === 'add') this.#arrivals?.add(devicePath)
      this.#lookTwice('controllers')
    }
  }

  /** The last part of its place is its name, also in class/block. */
  #hearOfDevice(place: string): void {
    const name = place.slice(place.lastIndexOf('/') + 1)
    this.#devices.add(name)
    if (announcedEarly.test(place)) {
      this.#devicesAgain.add(name)
      this.#beginRounds()
    }
    this.#wake?.()
  }

  #lookTwice(...parts: readonly Part[]): void {
    for (const part of parts) {
      if (!this.#parts.includes(part)) continue
      this.#due.add(part)
      this.#again.add(part)
    }
    this.#beginRounds()
    this.#wake?.()
  }

  #beginRounds(): void {
    this.#round = 0
    this.#repeatAt = Math.min(this.#repeatAt ?? Infinity, performance.now() + intervals[0])
  }

  /** The kernel's iSCSI may be loaded at any time, and says so by uevents of its transports. */
  #openSessionEvents(): void {
    if (this.#sessionEvents || !this.#sessionsMayBegin || !this.#parts.includes('sessions')) return
    this.#sessionsMayBegin = false
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
