import { binding, failedWith, finish } from './binding.ts'
import type { Job } from './binding.ts'

/** The names in a directory; undefined when there is no such directory. */
export function listDirectory(path: string, signal: AbortSignal): Promise<string[] | undefined> {
  return unlessAbsent(binding().listDirectory('files', path), signal, ['ENOENT'])
}

/** What a file holds; undefined when there is none, which is what the errno names in `absent` mean. */
export function readFile(
  lane: string,
  path: string,
  signal: AbortSignal,
  absent: readonly string[] = ['ENOENT'],
): Promise<Buffer | undefined> {
  return unlessAbsent(binding().readFile(lane, path), signal, absent)
}

/** Where a path leads, through all links; undefined when it leads to nothing. */
export function resolvePath(path: string, signal: AbortSignal): Promise<string | undefined> {
  return unlessAbsent(binding().resolvePath('files', path), signal, ['ENOENT'])
}

async function unlessAbsent<T>(job: Job<T>, signal: AbortSignal, absent: readonly string[]): Promise<T | undefined> {
  try {
    return await finish(job, signal)
  } catch (error) {
    if (failedWith(error, ...absent)) return undefined
    throw error
  }
}
