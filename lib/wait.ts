import { onAbort } from './abort.ts'
import type { UeventGroup } from './binding.ts'
import { listen } from './udev/uevents.ts'
import type { Uevent } from './udev/uevents.ts'

/** How often a condition is looked at without an event. Guards against an event that never comes; nothing relies on it. */
const guardInterval = 1000

/** Says what there is, or undefined while it is not there. */
type Look<T> = () => T | undefined | Promise<T | undefined>

/**
 * Waiting for the host to become as it should be: subscribe, then act, then wait.
 *
 *     using watch = new Watch('kernel', ['SUBSYSTEM=block\0'])
 *     await act()
 *     const device = await watch.until(() => look(), signal)
 *
 * Events that come between the subscription and `until` are not lost.
 */
export class Watch implements Disposable {
  readonly #subscription: Disposable
  #due = true
  #overdue = false
  #wake: (() => void) | undefined

  /**
   * Events with one of `texts` in them are worth another look, if they are `relevant`; that may also take down what they
   * tell. What the texts rule out does not even reach the event loop.
   */
  constructor(group: UeventGroup, texts: readonly string[], relevant: (event: Uevent) => boolean = () => true) {
    const isMeant = (event: Uevent): boolean => texts.some((text) => event.mentions(text)) && relevant(event)
    this.#subscription = listen(
      group,
      (event) => {
        if (event !== undefined && !isMeant(event)) return
        this.#due = true
        this.#overdue ||= event === undefined
        this.#wake?.()
      },
      texts,
    )
  }

  /**
   * Looks until there is something: at once and after every relevant event. Throws the signal's reason.
   *
   * `resync` is for when events were lost, or none came for a second: it looks at the host itself where `look` only
   * looks at what the events said.
   *
   * `soon` is for what the kernel may not announce: in how many milliseconds to look once more after so many looks.
   */
  async until<T>(
    look: Look<T>,
    signal: AbortSignal,
    resync: Look<T> = look,
    soon: (looks: number) => number | undefined = () => undefined,
  ): Promise<T> {
    for (let looks = 1; ; looks++) {
      signal.throwIfAborted()
      const overdue = this.#overdue
      this.#due = this.#overdue = false
      const found = (await look()) ?? (overdue ? await resync() : undefined)
      if (found !== undefined) return found
      await this.#nextLook(signal, soon(looks))
    }
  }

  async #nextLook(signal: AbortSignal, soon: number | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.#due || signal.aborted) {
        resolve()
        return
      }
      const done = (): void => {
        clearTimeout(guard)
        forget()
        this.#wake = undefined
        resolve()
      }
      const guard = setTimeout(() => {
        this.#overdue ||= soon === undefined
        done()
      }, soon ?? guardInterval)
      const forget = onAbort(signal, done)
      this.#wake = done
    })
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }
}
