/** Whether those who follow the devices are right in the end, when a thousand come and go: churn.js [ROUNDS] [DEVICES] */
import { churn, Follower, overflow, pauseUdev, removeLeftovers, resumeUdev } from '../churn.ts'
import { NullDisk } from '../null-disk.ts'

const [rounds, devices] = [Number(process.argv[2] ?? 10), Number(process.argv[3] ?? 1000)]
NullDisk.load()
pauseUdev()
const follower = await Follower.start()
const constant = new NullDisk()
let right = 0
for (let round = 1; round <= rounds; round++) {
  const start = performance.now()
  // In every fifth round it hears nothing meanwhile, and too much happens for the kernel to keep it.
  const deaf = round % 5 === 0
  if (deaf) follower.deafen()
  await churn(devices)
  if (deaf) {
    overflow(constant)
    follower.hearAgain()
  }
  const result = await follower.compare()
  if (result.live && result.watched) right++
  console.log(`round ${round}, ${((performance.now() - start) / 1000).toFixed(1)} s: ${JSON.stringify(result)}`)
  removeLeftovers()
}
constant.remove()
const { losses } = await follower.compare()
await follower.stop()
resumeUdev()
console.log(
  `${right} of ${rounds} rounds with ${devices} devices end with what a fresh look finds; events were lost ${losses} times`,
)
process.exitCode = right === rounds && (losses > 0 || rounds < 5) ? 0 : 1
