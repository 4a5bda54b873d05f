import { errnoName } from './errno.ts'
import { asSystemError, binding, failedWith, finish } from './binding.ts'
import type { Job } from './binding.ts'

/** The names in a directory; undefined when there is no such directory. */
export function listDirectory(path: string, signal: AbortSignal): Promise<string[] | undefined> {
  return unlessAbsent(binding().listDirectory('files', path), signal, ['ENOENT'])
}

/** What a file holds; undefined when there is none, which is what the errno names in `absent` mean. */
export async function readFile(
  lane: string,
  path: string,
  signal: AbortSignal,
  absent: readonly string[] = ['ENOENT'],
): Promise<Buffer | undefined> {
  // So, and not by the binding's `readFile`, a file that is not there costs no error object.
  const { file } = await readFiles(lane, { file: path }, signal)
  return bytesOf(file, absent)
}

/** One of several files: what it holds, or the errno, negative, that kept it from being read. */
export interface FileRead {
  readonly path: string
  readonly content: Buffer | number
}

/** Several small files, read in one go. None of them is an error yet: see `textOf`. */
export async function readFiles<Name extends string>(
  lane: string,
  paths: Readonly<Record<Name, string>>,
  signal: AbortSignal,
): Promise<Readonly<Record<Name, FileRead>>> {
  return namedFiles(paths, await finish(binding().readFiles(lane, Object.values(paths)), signal))
}

/** Files by the names of their paths, from their contents in the same order. */
export function namedFiles<Name extends string>(
  paths: Readonly<Record<Name, string>>,
  contents: readonly (Buffer | number)[],
): Readonly<Record<Name, FileRead>> {
  const entries = Object.entries<string>(paths)
  const files = entries.map(([name, path], index) => [name, { path, content: contents[index] }] as const)
  return Object.fromEntries(files) as Record<Name, FileRead>
}

/** What a file holds; undefined when there is none, as for `readFile`. @throws SystemError when it could not be read */
export function bytesOf({ path, content }: FileRead, absent: readonly string[] = ['ENOENT']): Buffer | undefined {
  if (typeof content !== 'number') return content
  if (absent.includes(errnoName(content))) return undefined
  throw asSystemError(Object.assign(new Error(`read ${path}`), { errno: content, syscall: 'read', path }))
}

/** The same, as text. */
export function textOf(file: FileRead, absent?: readonly string[]): string | undefined {
  return bytesOf(file, absent)?.toString()
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
