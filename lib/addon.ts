import { closeSync, openSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { BrickError } from './errors.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Loads the addon: what was built here from source, if anything was, or else the package's binary for this platform. */
export function loadAddon(): unknown {
  const { platform, arch, env } = process
  const libc = nameOfLibc()
  const given = env['LIBC']
  // node-gyp-build takes every system but Alpine for one with glibc, unless it is told.
  env['LIBC'] = libc
  try {
    const load = createRequire(import.meta.url)('node-gyp-build') as (folder: string) => unknown
    return load(root)
  } catch (cause) {
    throw new BrickError(
      'NOT_SUPPORTED',
      `hostbrick has no binary that works on ${platform}-${arch} with ${libc}: build one with 'npm run --prefix ${root} build:source'`,
      { cause, details: { platform, arch, libc } },
    )
  } finally {
    if (given === undefined) delete env['LIBC']
    else env['LIBC'] = given
  }
}

/** By the loader that this very program asks for, which its first page names. */
function nameOfLibc(): 'glibc' | 'musl' {
  const page = Buffer.alloc(4096)
  // It can be read also when its file has been replaced or removed meanwhile.
  const program = openSync('/proc/self/exe', 'r')
  try {
    readSync(program, page)
  } finally {
    closeSync(program)
  }
  return page.includes('/ld-musl-') ? 'musl' : 'glibc'
}
