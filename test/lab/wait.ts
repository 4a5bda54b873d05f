import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until the condition holds. Throws, naming what it waited for, when it does not in time. */
export async function until(what: string, condition: () => boolean, milliseconds = 10_000): Promise<void> {
  const deadline = Date.now() + milliseconds
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${milliseconds} ms in vain until ${what}`)
    await sleep(20)
  }
}
