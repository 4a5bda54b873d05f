#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { audit, BrickError, inventory } from '../index.ts'
import type { Finding } from '../index.ts'
import { deviceTree } from './tree.ts'

const usage = `usage: hostbrick ls [--json]
       hostbrick audit [--json]

  ls      the block devices of this host as a tree: a disk's partitions and the devices built upon them below it
  audit   what is left over on this host, and what to do about it; changes nothing
  --json  all that is known of them, for programs

exit status: 0 done, 1 failed, 2 the command line is wrong, 3 the audit has found something`

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
  return parsed.command === 'audit' ? printAudit(parsed.json) : printDevices(parsed.json)
}

async function printDevices(json: boolean): Promise<number> {
  const { devices, mounts } = await inventory()
  console.log(json ? JSON.stringify({ devices, mounts }, undefined, 2) : deviceTree(devices))
  return 0
}

async function printAudit(json: boolean): Promise<number> {
  const findings = await audit()
  console.log(
    json ? JSON.stringify({ findings }, undefined, 2) : findings.map(paragraph).join('\n\n') || 'nothing found',
  )
  return findings.length > 0 ? 3 : 0
}

function paragraph({ kind, subject, evidence, plan }: Finding): string {
  const found = Object.entries(evidence).map(([name, value]) => `${name} ${inWords(value)}`)
  return [`${subject}: ${kind}`, `  ${found.join(', ')}`, ...plan.map((step) => `  - ${step}`)].join('\n')
}

function inWords(value: Finding['evidence'][string] = null): string {
  if (typeof value === 'object' && value !== null) return value.join(' ') || '-'
  return String(value ?? '-')
}

function parseCommandLine(): { command: string; json: boolean; help: boolean } | undefined {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
    })
    const [command = '', ...others] = positionals
    const isKnown = ['ls', 'audit'].includes(command) && others.length === 0
    return values.help || isKnown ? { command, ...values } : undefined
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
