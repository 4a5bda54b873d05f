import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { orAborted } from './abort.ts'
import { binding, finish } from './binding.ts'

const folder = '/run/lock/hostbrick'

/** The last in each key's queue of this process. */
const queues = new Map<string, Promise<void>>()

/**
 * Takes the lock of `key`, which every call of every process on this host that uses hostbrick respects; disposing gives
 * it back. Within the process those who wait get it in the order they came; one that gives up leaves the queue.
 */
export async function lock(key: string, signal: AbortSignal): Promise<Disposable> {
  const turn = queues.get(key) ?? Promise.resolve()
  let leave = (): void => undefined
  const left = new Promise<void>((resolve) => {
    leave = resolve
  })
  // Whoever comes next waits for everybody before, also past one who has given up.
  const queue = turn.then(() => left)
  queues.set(key, queue)
  const leaveQueue = (): void => {
    leave()
    if (queues.get(key) === queue) queues.delete(key)
  }
  try {
    await orAborted(turn, signal)
    const release = await finish(binding().lockByte(`lock:${key}`, lockFile(), byteOf(key)), signal)
    return {
      [Symbol.dispose]() {
        release()
        leaveQueue()
      },
    }
  } catch (error) {
    leaveQueue()
    throw error
  }
}

/**
 * All keys share one file, each with a byte of its own, so that no lock file is ever left behind or removed under
 * somebody's feet. 62 bits of a hash: two keys on one byte would only wait for each other.
 */
function byteOf(key: string): bigint {
  return createHash('sha256').update(key).digest().readBigUInt64LE() >> 2n
}

function lockFile(): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return `${folder}/locks`
}
