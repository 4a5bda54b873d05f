#!/usr/bin/env node
import { createRequire } from 'node:module'
import { BrickError } from '../index.ts'
import { readCommandLine, UsageError } from './command-line.ts'
import type { CommandLine } from './command-line.ts'
import type { Answer } from './command.ts'
import { exitStatusOf, exitStatusOfSignal } from './exit-status.ts'
import { help, helpFor } from './help.ts'
import { Progress } from './progress.ts'

const stop = new AbortController()
let interruption: NodeJS.Signals | undefined

/** The first one ends the call, which undoes what it did; the second one ends the process. */
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => {
    interruption ??= name
    stop.abort(new Error(name))
  })
}
/** Whoever reads our output may have had enough, as in `hostbrick watch | head`. That it is lost otherwise is a failure. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  stop.abort(error)
  if (error.code === 'EPIPE') return
  console.error(`hostbrick: standard output: ${error.message}`)
  process.once('exit', () => (process.exitCode = 1))
})

async function main(given: readonly string[]): Promise<number> {
  if (given.length === 0) throw new UsageError('a command is missing')
  if (given[0] === '--help' || given[0] === '-h') return print(help())
  if (given[0] === '--version') return print(version())
  const line = readCommandLine(given)
  if (line.help) return print(helpFor(line.command))
  try {
    return await answer(line)
  } catch (error) {
    if (!(error instanceof BrickError)) throw error
    return fail(error, line)
  }
}

async function answer({ command, options, operands, timeout, json }: CommandLine): Promise<number> {
  using _progress = process.stderr.isTTY ? new Progress(process.stderr) : undefined
  const answers = command.run({ options, operands, limits: { signal: stop.signal, timeout } })
  if (answers instanceof Promise) return show(await answers, json, 2)
  for await (const each of answers) show(each, json, 0)
  return 0
}

function show({ json: document, text, status = 0 }: Answer, json: boolean, indent: number): number {
  print(json ? JSON.stringify(document, undefined, indent) : text)
  return status
}

function print(text: string): number {
  if (text !== '') console.log(text)
  return 0
}

function fail(error: BrickError, { command, json }: CommandLine): number {
  const { code, message, step, retryable, details } = error
  const where = step === undefined ? code : `${code}, step ${step}`
  console.error(`hostbrick ${command.name}: ${message} (${where}${retryable ? '; may work later' : ''})`)
  for (const left of leftovers(details)) console.error(`  not undone: ${left}`)
  if (json) print(JSON.stringify({ error: { code, message, step, retryable, details } }, undefined, 2))
  return code === 'ABORTED' && interruption ? exitStatusOfSignal(interruption) : exitStatusOf(code)
}

/** What the clean-up could not undo. */
function leftovers({ undone = [] }: BrickError['details']): string[] {
  return (undone as readonly { step: string; error: string }[]).map(({ step, error }) => `${step}: ${error}`)
}

function version(): string {
  return (createRequire(import.meta.url)('../../package.json') as { version: string }).version
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  const { message, command } = error
  const name = command === undefined ? 'hostbrick' : `hostbrick ${command.name}`
  console.error(`${name}: ${message}\nSee ${name} --help`)
  process.exitCode = 2
}
