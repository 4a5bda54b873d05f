import assert from 'node:assert/strict'
import { once } from 'node:events'
import { execFileSync } from 'node:child_process'
import { closeSync, copyFileSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { Worker } from 'node:worker_threads'
import { addonFile, eventually, freshPath, letGo, makeFifo, native } from './addon.mjs'

const workerFile = new URL('lifetime-worker.mjs', import.meta.url)
const fifos = (count) => Array.from({ length: count }, makeFifo)
const stick = (paths) => paths.map((path) => native.readFile(path, path))
const isIdle = () => {
  const { queued, running, parked } = native.laneStatistics()
  return queued + running + parked === 0
}

const announce = (count) => {
  for (let round = 0; round < count; round++) writeFileSync('/sys/class/mem/null/uevent', 'change')
}
/** More events than a monitor's queue holds, while nobody takes any out of it: its thread waits for room. */
const flood = () => announce(6000)

/** What a closed monitor must not call. */
const unheard = () => (process.exitCode = 1)

/** Sets a limit of this process, of prlimit(1). */
const limit = (option) => execFileSync('prlimit', ['--pid', String(process.pid), option])

/** How the addon refuses something for lack of `code`. */
const refusal =
  (code, syscall) =>
  ({ errno, syscall: found }) =>
    errno === -constants.errno[code] && found === syscall

/** Makes the kernel announce something, again and again; ends when the process does, or with the function it returns. */
function storm() {
  const timer = setInterval(() => announce(50))
  timer.unref()
  return () => clearInterval(timer)
}

/** A worker that has begun to do what it was told. */
async function startWorker(task, data = {}) {
  const worker = new Worker(workerFile, { workerData: { task, ...data } })
  await once(worker, 'message')
  return worker
}

const stories = {
  async 'The process ends when nothing is pending'() {
    await native.listDirectory('files', '/').result
  },

  async 'The process lives while a job runs'() {
    process.exitCode = 1
    native
      .runProgram({ arguments: ['sleep', '0.05'], environment: ['PATH=/usr/bin:/bin'], input: '' })
      .result.then(() => {
        process.exitCode = 0
      })
  },

  async 'The process lives while a monitor is open, and ends when it is closed'() {
    process.exitCode = 1
    const monitor = native.openMonitor('kernel', () => {
      process.exitCode = 0
      monitor.close()
      monitor.close()
    })
    monitor.only([''])
    setTimeout(() => announce(1), 10).unref()
  },

  async 'The process ends though a job that was given up is stuck'() {
    for (const job of stick(fifos(3))) {
      native.abandon(job.number)
      await assert.rejects(job.result)
    }
  },

  async 'The process ends at once by process.exit with stuck jobs'() {
    stick(fifos(10))
    await eventually(() => native.laneStatistics().running === 10)
    process.exit(0)
  },

  async 'The process ends at once by process.exit with a monitor open in a storm'() {
    storm()
    let seen = 0
    const monitor = native.openMonitor('kernel', (events) => {
      seen += events.length
      if (seen > 1000) process.exit(0)
    })
    monitor.only([''])
  },

  async 'The process ends at once by process.exit while a monitor waits for room'() {
    native.openMonitor('kernel', () => undefined).only([''])
    flood()
    process.exit(0)
  },

  async 'The process ends when a monitor that waits for room is closed'() {
    const monitor = native.openMonitor('kernel', unheard)
    monitor.only([''])
    flood()
    monitor.close()
  },

  async 'The process hears of what a monitor has lost while it was busy'() {
    let lost = false
    const monitor = native.openMonitor('kernel', (_, some) => (lost ||= some))
    monitor.only([''])
    // More than the queue and a socket of 4 MiB hold together.
    announce(30_000)
    await eventually(() => lost)
    monitor.close()
  },

  async 'The process hears nothing from a monitor that it has closed'() {
    const monitor = native.openMonitor('kernel', unheard)
    monitor.only([''])
    announce(10)
    // The thread delivers, and this one does not look.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    monitor.close()
    await new Promise((resolve) => setTimeout(resolve, 20))
  },

  async 'The process survives a shortage of descriptors'() {
    limit('--nofile=100:')
    const files = []
    assert.throws(() => {
      for (;;) files.push(openSync('/dev/null'))
    })
    const jobs = [
      native.runProgram({ arguments: ['true'], environment: [], input: '' }),
      native.probePort('127.0.0.1', 1, '', ''),
      native.exchange([{ abstract: 'nobody' }], Buffer.alloc(1), 1),
    ]
    for (const { result, number } of jobs) {
      native.abandon(number)
      await assert.rejects(result, refusal('EMFILE', 'eventfd'))
    }
    assert.throws(() => native.openMonitor('kernel', () => undefined), refusal('EMFILE', 'socket'))
    closeSync(files.pop())
    assert.throws(() => native.openMonitor('kernel', () => undefined), refusal('EMFILE', 'eventfd'))
    files.forEach(closeSync)
  },

  async 'The process ends with the addon loaded twice'() {
    const copy = `${freshPath()}.node`
    copyFileSync(addonFile, copy)
    const other = createRequire(import.meta.url)(copy)
    assert.notEqual(other.readFile, native.readFile)
    const path = freshPath()
    const release = await native.lockByte('a', path, 0n).result
    const waiting = other.lockByte('a', path, 0n)
    await eventually(() => other.laneStatistics().running === 1)
    assert.equal(native.laneStatistics().running, 0)
    release()
    const releaseOther = await waiting.result
    releaseOther()
    const [fifo] = fifos(1)
    const jobs = [native, other].map((addon) => [addon, addon.readFile('stuck', fifo)])
    for (const [addon, { number }] of jobs) addon.abandon(number)
    await Promise.allSettled(jobs.map(([, { result }]) => result))
  },

  async 'A worker shares the addon with the main thread and another worker'() {
    const [fifo] = fifos(1)
    const [job] = stick([fifo])
    const workers = await Promise.all([startWorker('work'), startWorker('work')])
    await native.listDirectory('files', '/').result
    for (const worker of workers) worker.postMessage('end')
    assert.deepEqual(await Promise.all(workers.map((worker) => once(worker, 'exit'))), [[0], [0]])
    letGo(fifo)
    await job.result
  },

  async 'A worker is terminated with stuck jobs'() {
    const paths = fifos(5)
    const worker = await startWorker('stick', { paths })
    assert.equal(native.laneStatistics().running, 5)
    await worker.terminate()
    // Their results find nobody.
    paths.forEach(letGo)
    await eventually(isIdle)
  },

  async 'A worker is terminated with a monitor open in a storm'() {
    const calm = storm()
    for (let round = 0; round < 5; round++) {
      const worker = await startWorker('monitor')
      await worker.terminate()
    }
    calm()
  },

  async 'A worker is terminated while its monitor waits for room'() {
    const worker = await startWorker('busy monitor')
    flood()
    await worker.terminate()
  },

  async 'A worker that is terminated takes its programs along'() {
    const path = freshPath()
    const worker = await startWorker('program', { path })
    const pid = Number(readFileSync(path, 'utf8'))
    process.kill(pid, 0)
    await worker.terminate()
    await eventually(isIdle)
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  },

  async 'A worker that is terminated loses its locks'() {
    const path = freshPath()
    const worker = await startWorker('lock', { path })
    const waiting = native.lockByte('a', path, 0n)
    await eventually(() => native.laneStatistics().running === 1)
    await worker.terminate()
    const release = await waiting.result
    release()
  },

  async 'A worker that is terminated while it waits for a lock does not get it'() {
    const path = freshPath()
    const release = await native.lockByte('a', path, 0n).result
    const worker = await startWorker('wait for lock', { path })
    assert.equal(native.laneStatistics().running, 1)
    await worker.terminate()
    release()
    const releaseNext = await native.lockByte('b', path, 0n).result
    releaseNext()
    await eventually(isIdle)
  },

  async 'A worker comes and goes, twenty times, in the middle of things'() {
    const calm = storm()
    const path = freshPath()
    const paths = fifos(3)
    for (let round = 0; round < 5; round++) {
      const workers = await Promise.all(Array.from({ length: 4 }, () => startWorker('everything', { path, paths })))
      globalThis.gc()
      await Promise.all(workers.map((worker) => worker.terminate()))
      paths.forEach(letGo)
    }
    calm()
    paths.forEach(letGo)
    await eventually(isIdle)
    const release = await native.lockByte('a', path, 0n).result
    release()
  },

  async 'Garbage gives back a lock whose release function was dropped'() {
    const path = freshPath()
    await native.lockByte('a', path, 0n).result
    let free = false
    const waiting = native.lockByte('b', path, 0n).result.then((release) => {
      free = true
      release()
    })
    await eventually(() => {
      globalThis.gc()
      return free
    })
    await waiting
  },

  async 'Garbage is all that is left of a call that nobody waits for'() {
    for (let round = 0; round < 200; round++) {
      native.listDirectory('files', '/')
      native.readFile('files', '/nonexistent').result.catch(() => undefined)
      native.listDirectory('files', '/').number
      const job = native.readFile('files', '/proc/version')
      job.result.catch(() => undefined)
      native.abandon(job.number)
      if (round % 20 === 0) globalThis.gc()
    }
    await eventually(isIdle)
    globalThis.gc()
  },

  async 'Garbage does not close a monitor'() {
    let seen = 0
    const opened = { monitor: native.openMonitor('kernel', (events) => (seen += events.length)) }
    opened.monitor.only([''])
    const { close } = opened.monitor
    delete opened.monitor
    await eventually(() => {
      globalThis.gc()
      announce(1)
      return seen > 3
    })
    close()
    for (let round = 0; round < 50; round++) {
      native.openMonitor('kernel', () => undefined).close()
      globalThis.gc()
    }
  },
}

const story = stories[process.argv[2]]
assert.ok(story, `no such story: ${process.argv[2]}`)
await story()
