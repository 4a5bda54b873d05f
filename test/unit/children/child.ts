import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** How a child process ended. A hang is not a failure of what it tests: the two are told apart. */
export interface ChildEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly hung: boolean
  readonly stdout: string
  readonly stderr: string
}

export interface ChildOptions {
  /** Node's own options. */
  readonly node?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What Node is started by, such as `unshare --mount`. */
  readonly wrapper?: readonly string[]
  /** What it reads from standard input. */
  readonly input?: string
}

/** Milliseconds after which a child hangs, however slow and busy the machine is. */
const patience = 30_000

/** What a child that ended as it should looks like: `assert.deepEqual` then shows all there is to know otherwise. */
export const ended = { code: 0, signal: null, hung: false, stdout: '', stderr: '' }

const typescript = ['--import', 'tsx']

/** Starts a script of this folder. */
export function start(script: string, parameters: readonly string[], options: ChildOptions = {}): ChildProcess {
  const node = [process.execPath, ...(script.endsWith('.ts') ? typescript : []), ...(options.node ?? [])]
  const file = fileURLToPath(new URL(script, import.meta.url))
  // It ends with this process, however that ends: one that spins for ever would slow down all that runs after it.
  const mortal = ['setpriv', '--pdeathsig', 'KILL']
  const [program = '', ...rest] = [...mortal, ...(options.wrapper ?? []), ...node, file, ...parameters]
  // The test runner's own protocol is not for children that run tests.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_EXTRA_CA_CERTS: undefined, ...options.env }
  return spawn(program, rest, { env })
}

/** Runs a script of this folder to its end. */
export async function run(
  script: string,
  parameters: readonly string[] = [],
  options: ChildOptions = {},
): Promise<ChildEnd> {
  const child = start(script, parameters, options)
  // A child that does not read it may have ended before it is written.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(options.input)
  let hung = false
  const timer = setTimeout(() => {
    hung = true
    child.kill('SIGKILL')
  }, patience)
  let [stdout, stderr] = ['', '']
  child.stdout?.on('data', (chunk) => (stdout += String(chunk)))
  child.stderr?.on('data', (chunk) => (stderr += String(chunk)))
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  clearTimeout(timer)
  return { code, signal, hung, stdout, stderr }
}

/** Looks again and again, for what tells nobody when it changes. A test that waits for ever is ended by its own limit. */
export async function eventually(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** A mount namespace where /var/lib, /etc and /run are empty. */
export const emptyHost: readonly string[] = [
  ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
  `${['/var/lib', '/etc', '/run'].map((folder) => `mount -t tmpfs tmpfs ${folder}`).join(' && ')} && exec "$@"`,
  'sh',
]

/** How many netlink sockets this process has. */
export function netlinkSockets(): number {
  const rows = readFileSync('/proc/net/netlink', 'utf8').trim().split('\n')
  const inodes = new Set(rows.map((row) => `socket:[${row.trim().split(/\s+/).at(-1) ?? ''}]`))
  return readdirSync('/proc/self/fd').filter((number) => {
    try {
      return inodes.has(readlinkSync(`/proc/self/fd/${number}`))
    } catch {
      return false
    }
  }).length
}
