/**
 * watcher.js DEVICE: prints 'ready', and for each page by which the loop device grows when it heard of that, in nanoseconds
 * on the clock of process.hrtime, a line each.
 *
 * A process of its own, as lister.ts is and for the same reason.
 */
import { watch } from 'hostbrick'

const page = 4096
const [device] = process.argv.slice(2)

const changes = watch()
await changes.begun
console.log('ready')
for await (const change of changes) {
  const time = process.hrtime.bigint()
  if (change.kind !== 'device' || change.change !== 'changed' || change.device.path !== device) continue
  // More than one page when changes are told together.
  for (let { size } = change.before; size < change.device.size; size += page) console.log(String(time))
}
