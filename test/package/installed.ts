/** What test/package/run.sh has packed, installed as a user does it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

export const work = `${root}build/package`

const packed = (name: string): string =>
  `${work}/${readdirSync(work).find((file) => file.startsWith(name) && file.endsWith('.tgz')) ?? name}`

export const tarball = packed('hostbrick')

/** All that the package needs. */
export const dependency = packed('node-gyp-build')

/** A folder that is there for as long as the tests of a file run. */
export function freshFolder(): string {
  const folder = mkdtempSync(`${tmpdir()}/hostbrick-package-`)
  after(() => {
    rmSync(folder, { recursive: true })
  })
  return folder
}

/** Installs the tarball into an empty folder; no registry is asked. */
export function install(): string {
  const folder = freshFolder()
  writeFileSync(`${folder}/package.json`, '{ "type": "module" }')
  writeFileSync(`${folder}/look.js`, look)
  say('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball, dependency], { cwd: folder })
  return folder
}

/** What a program says, which has to end well. */
export function say(
  program: string,
  parameters: readonly string[],
  options: { cwd?: string; env?: object } = {},
): string {
  const { cwd = root, env } = options
  const { status, stdout, stderr, error } = spawnSync(program, parameters, {
    cwd,
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env },
    encoding: 'utf8',
  })
  assert.equal(error, undefined)
  assert.equal(status, 0, `${program} ${parameters.join(' ')} ended with ${String(status)}:\n${stdout}${stderr}`)
  return stdout
}

/** What look.js says, as JSON. */
export interface Looked {
  /** The binary that it loaded, as the kernel has it. */
  readonly binary: string
  readonly arch: string
  /** The names of the block devices. */
  readonly devices: readonly string[]
  /** Whether the addon's failures arrive as errors: nothing of that name can be opened. */
  readonly isValid: boolean
}

/** A look at this host by what is installed: the inventory, and a call that fails in native code. */
export const look = `
  import { readFileSync } from 'node:fs'
  import { inventory, LocalConnector } from 'hostbrick'

  const { devices } = await inventory()
  const isValid = await new LocalConnector().checkValidDevice('/dev/nothing-of-this-name')
  const binary = /\\S+[.]node$/m.exec(readFileSync('/proc/self/maps', 'utf8'))[0]
  console.log(JSON.stringify({ binary, arch: process.arch, devices: devices.map(({ name }) => name), isValid }))
`
