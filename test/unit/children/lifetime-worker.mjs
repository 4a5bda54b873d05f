import { existsSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { eventually, native } from './addon.mjs'

const { task, path, paths } = workerData
const begun = () => parentPort.postMessage('begun')

/** The addon's threads serve the whole process: so do their statistics. */
const running = (count) => eventually(() => native.laneStatistics().running >= count)

const tasks = {
  async work() {
    parentPort.once('message', () => undefined)
    for (let round = 0; round < 100; round++) await native.listDirectory('files', '/').result
    begun()
  },

  async stick() {
    for (const fifo of paths) native.readFile(fifo, fifo)
    await running(paths.length)
    begun()
  },

  async monitor() {
    let first = true
    const monitor = native.openMonitor('kernel', () => {
      if (first) begun()
      first = false
    })
    monitor.only([''])
  },

  async 'busy monitor'() {
    native.openMonitor('kernel', () => undefined).only([''])
    begun()
    for (;;);
  },

  async program() {
    const script = 'echo $$ > $FILE.new; mv $FILE.new $FILE; exec sleep 1000'
    const environment = ['PATH=/usr/bin:/bin', `FILE=${path}`]
    native.runProgram({ arguments: ['sh', '-c', script], environment, input: '' })
    await eventually(() => existsSync(path))
    begun()
  },

  async lock() {
    globalThis.release = await native.lockByte('worker', path, 0n).result
    parentPort.on('message', () => undefined)
    begun()
  },

  async 'wait for lock'() {
    native.lockByte('worker', path, 0n)
    await running(1)
    begun()
  },

  async everything() {
    for (const fifo of paths) native.readFile(fifo, fifo).result.catch(() => undefined)
    native.openMonitor('kernel', () => undefined).only([''])
    const again = () => native.listDirectory('files', '/dev').result.then(again)
    again()
    native.lockByte('worker', path, 0n).result.then((release) => (globalThis.release = release))
    native.readFile('files', '/proc/version').result.catch(() => undefined)
    begun()
  },
}

await tasks[task]()
