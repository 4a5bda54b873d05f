#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { BrickError, inventory } from '../index.ts'
import { deviceTree } from './tree.ts'

const usage = `usage: hostbrick ls [--json]

  ls      the block devices of this host as a tree: a disk's partitions and the devices built upon them below it
  --json  all that is known of them, for programs

exit status: 0 done, 1 failed, 2 the command line is wrong`

async function main(): Promise<number> {
  const parsed = parseCommandLine()
  if (parsed === undefined) {
    console.error(usage)
    return 2
  }
  if (parsed.help) {
    console.log(usage)
    return 0
  }
  const { devices, mounts } = await inventory()
  console.log(parsed.json ? JSON.stringify({ devices, mounts }, undefined, 2) : deviceTree(devices))
  return 0
}

function parseCommandLine(): { json: boolean; help: boolean } | undefined {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
    })
    const [command, ...others] = positionals
    return values.help || (command === 'ls' && others.length === 0) ? values : undefined
  } catch {
    return undefined // an option that there is not
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof BrickError)) throw error
  console.error(`hostbrick: ${error.message} (${error.code})`)
  process.exitCode = 1
}
