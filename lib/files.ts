import { binding, failedWith, finish } from './binding.ts'

/** The names in a directory; undefined when there is no such directory. */
export async function listDirectory(path: string, signal: AbortSignal): Promise<string[] | undefined> {
  try {
    return await finish(binding().listDirectory('files', path), signal)
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined
    throw error
  }
}
