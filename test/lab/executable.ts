import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: { hostbrick: string } }

/** hostbrick's own executable, as it is installed. */
export const executable = join(root, bin.hostbrick)

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `hostbrick ARGUMENT...` to its end; what is no text goes to its standard input as JSON. */
export function hostbrick(args: readonly string[], input: unknown = ''): Ended {
  const text = typeof input === 'string' ? input : JSON.stringify(input)
  const { status, stdout, stderr } = spawnSync(process.execPath, [executable, ...args], {
    encoding: 'utf8',
    input: text,
  })
  return { status, stdout, stderr }
}

/** The same, while other things go on. */
export function startHostbrick(args: readonly string[], input: unknown = ''): ChildProcess {
  const child = spawn(process.execPath, [executable, ...args])
  child.stdin.end(typeof input === 'string' ? input : JSON.stringify(input))
  return child
}
