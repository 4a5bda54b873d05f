// Makes the kernel drop events, and proves that somebody who waits for one that was dropped looks again.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setgid, setgroups, setuid } from 'node:process'
import { mock } from 'node:test'
import { binding } from '../../../lib/binding.ts'
import { listen } from '../../../lib/udev/uevents.ts'
import { Watch } from '../../../lib/wait.ts'

// Our reader has to stand still while the kernel fills its socket: a shell stops us, makes more events than fit, and
// lets us go on. Without privileges the socket is no larger than the system's limit (SO_RCVBUFFORCE needs them), of
// which the kernel grants the double. Each event takes more than its text of 1.5 KiB.
const enough = Math.ceil((2 * Number(readFileSync('/proc/sys/net/core/rmem_max', 'utf8'))) / 1500)
const event = `change 12345678-1234-1234-1234-123456789abc FILLER=${'x'.repeat(1500)}`
const flood = `
  read line
  kill -STOP $PPID
  i=0; while [ $i -lt ${enough} ]; do echo ${event} > /sys/class/mem/null/uevent; i=$((i + 1)); done
  kill -CONT $PPID`
const shell = spawn('sh', ['-c', flood])
const closed = once(shell, 'close')
binding()
setgroups?.([65534])
setgid?.(65534)
setuid?.(65534)

// The re-check by time never comes.
mock.timers.enable({ apis: ['setTimeout'] })

let lost = 0
const listening = listen('kernel', (event) => {
  if (event === undefined) lost++
})
const watch = new Watch('kernel', [''], () => false)
let looks = 0
const { signal } = new AbortController()
const seen = watch.until(() => {
  looks++
  if (looks === 1) shell.stdin.end('go\n')
  return lost > 0 ? true : undefined
}, signal)
assert.ok(await seen)
assert.ok(looks <= 1 + lost)
watch[Symbol.dispose]()
listening[Symbol.dispose]()
await closed
