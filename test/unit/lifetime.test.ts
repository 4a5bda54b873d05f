import assert from 'node:assert/strict'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import { ended, run } from './children/child.ts'

const root = getuid?.() === 0

/** Each is a story of children/lifetime.mjs, told in a process of its own, which must end by itself and in peace. */
const stories: Record<string, readonly (readonly [name: string, ...node: string[]])[]> = {
  'The process': [
    ['ends when nothing is pending'],
    ['lives while a job runs'],
    ['lives while a monitor is open, and ends when it is closed'],
    ['ends though a job that was given up is stuck'],
    ['ends at once by process.exit with stuck jobs'],
    ['ends at once by process.exit with a monitor open in a storm'],
    ['ends at once by process.exit while a monitor waits for room'],
    ['ends when a monitor that waits for room is closed'],
    ['hears of what a monitor has lost while it was busy'],
    ['hears nothing from a monitor that it has closed'],
    ['survives a shortage of descriptors'],
    ['ends with the addon loaded twice'],
  ],
  'A worker': [
    ['shares the addon with the main thread and another worker'],
    ['is terminated with stuck jobs'],
    ['is terminated with a monitor open in a storm'],
    ['is terminated while its monitor waits for room'],
    ['that is terminated takes its programs along'],
    ['that is terminated loses its locks'],
    ['that is terminated while it waits for a lock does not get it'],
    ['comes and goes, twenty times, in the middle of things', '--expose-gc'],
  ],
  Garbage: [
    ['gives back a lock whose release function was dropped', '--expose-gc'],
    ['is all that is left of a call that nobody waits for', '--expose-gc'],
    ['does not close a monitor', '--expose-gc'],
  ],
}

/** What those are started by that need another kind of process. */
const wrappers: Readonly<Record<string, readonly string[]>> = {
  // Without CAP_NET_ADMIN the system's limit holds for a socket's buffer, and far fewer events fill it.
  'The process hears of what a monitor has lost while it was busy': ['setpriv', '--bounding-set=-net_admin'],
}

for (const [subject, names] of Object.entries(stories)) {
  describe(subject, { concurrency: 2 }, () => {
    for (const [name, ...node] of names) {
      const skip = /storm|monitor|middle/.test(name) && !root && 'only root can make uevents'
      it(name, { skip }, async () => {
        const story = `${subject} ${name}`
        assert.deepEqual(await run('lifetime.mjs', [story], { node, wrapper: wrappers[story] ?? [] }), ended)
      })
    }
  })
}
