import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'

export const addonFile = fileURLToPath(new URL('../../../build/Release/hostbrick.node', import.meta.url))

/** The addon as lib/addon.ts loads it. */
export const native = createRequire(import.meta.url)(addonFile)

let folder
let count = 0

/** A place for files that goes with the process. */
export function freshPath() {
  if (folder === undefined) {
    folder = mkdtempSync(`${tmpdir()}/hostbrick-child-`)
    process.on('exit', () => rmSync(folder, { recursive: true }))
  }
  return `${folder}/${++count}`
}

/** A FIFO: reading it is a call that the kernel does not let go of before somebody writes. */
export function makeFifo() {
  const path = freshPath()
  execFileSync('mkfifo', [path])
  return path
}

/**
 * Lets the kernel go of all who read it. A reader that has not got that far yet is waited for: once would not be enough
 * on a machine that is busy.
 */
export function letGo(fifo) {
  const timer = setInterval(() => {
    const { queued, running, parked } = native.laneStatistics()
    if (queued + running + parked === 0) clearInterval(timer)
    else closeSync(openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK))
  }, 1)
  timer.unref()
}

export async function eventually(look) {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 1))
}
