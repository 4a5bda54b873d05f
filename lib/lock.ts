import { hash } from 'node:crypto'
import { constants } from 'node:os'
import { orAborted } from './abort.ts'
import { asSystemError, binding, failedWith, finish } from './binding.ts'

/** Below /run itself, which only root can write to: in /run/lock anybody could make the folder first. */
const folder = '/run/hostbrick'
const file = `${folder}/locks`
const { EEXIST } = constants.errno

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
    // Not before those who came earlier have left, too.
    void queue.then(() => {
      if (queues.get(key) === queue) queues.delete(key)
    })
  }
  try {
    await orAborted(turn, signal)
    const release = await lockFile(key, signal)
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
 * A share of what the lock of `key` is for, which any number may have; disposing gives it back. Asked for by who has the
 * lock, and kept longer than that: it keeps out only who asks for `lockAlone`.
 */
export async function lockShared(key: string, signal: AbortSignal): Promise<Disposable> {
  return { [Symbol.dispose]: await lockFile(sharesOf(key), signal, true) }
}

/** As `lock`, once nobody has a share. */
export async function lockAlone(key: string, signal: AbortSignal): Promise<Disposable> {
  const turn = await lock(key, signal)
  try {
    const release = await lockFile(sharesOf(key), signal)
    return {
      [Symbol.dispose]() {
        release()
        turn[Symbol.dispose]()
      },
    }
  } catch (error) {
    turn[Symbol.dispose]()
    throw error
  }
}

/** Takes several locks: each once, and always in the same order, as two calls could else wait for each other. */
export async function lockAll(keys: Iterable<string>, signal: AbortSignal): Promise<Disposable> {
  const held: Disposable[] = []
  const release = (): void => {
    for (const each of held) each[Symbol.dispose]()
  }
  try {
    for (const key of [...new Set(keys)].sort()) held.push(await lock(key, signal))
    return { [Symbol.dispose]: release }
  } catch (error) {
    release()
    throw error
  }
}

function sharesOf(key: string): string {
  return `shares ${key}`
}

/**
 * All keys are in one file, each with a byte of its own, so that no lock file is ever left behind or removed under
 * somebody's feet. 62 bits of a hash: two keys on one byte would only wait for each other.
 */
function byteOf(key: string): bigint {
  return hash('sha256', key, 'buffer').readBigUInt64LE() >> 2n
}

async function lockFile(key: string, signal: AbortSignal, shared = false): Promise<() => void> {
  const byte = byteOf(key)
  // A free lock is taken on the spot: to try costs less than to have a thread wait.
  const take = async (): Promise<() => void> =>
    tryLock(byte, shared) ?? (await finish(binding().lockByte(`lock:${key}`, file, byte, shared), signal))
  try {
    return await take()
  } catch (error) {
    if (!failedWith(error, 'ENOENT')) throw error
    const make = { verb: 'makeDirectory', path: folder, mode: 0o700, unless: [EEXIST] } as const
    await finish(binding().changeFiles('files', [make]), signal)
    return await take()
  }
}

function tryLock(byte: bigint, shared: boolean): (() => void) | undefined {
  try {
    return binding().tryLockByte(file, byte, shared)
  } catch (error) {
    throw asSystemError(error)
  }
}
