/**
 * watcher.js DEVICE FILE SAMPLES: grows the loop device with its file again and again, and prints for each time when it
 * heard of it, in nanoseconds on the clock of process.hrtime, a line each.
 *
 * A process of its own, as lister.ts is and for the same reason.
 */
import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { watch } from 'hostbrick'

const growthProgram = fileURLToPath(new URL('../../test/lab/loop-growth.py', import.meta.url))
const [device = '', backing = '', samples] = process.argv.slice(2)

const growth = execFile('python3', [growthProgram, device, backing])
const changes = watch()
await changes.begun
const heard: bigint[] = []
for (let sample = 0; sample < Number(samples); sample++) {
  const next = changes.next()
  growth.stdin?.write('\n')
  await next
  heard.push(process.hrtime.bigint())
  // Until everybody else who hears of it, udevd above all, is through as well.
  await sleep(10)
}
await changes.return?.()
growth.kill()
console.log(heard.join('\n'))
