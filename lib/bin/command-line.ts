import { parseArgs } from 'node:util'
import { commonOptions } from './command.ts'
import type { Command, Operand, Options } from './command.ts'
import { commands } from './commands.ts'

/** The command line is wrong: the message is for whoever has typed it. */
export class UsageError extends Error {
  /** The command whose help tells what is right; undefined when it is not clear which. */
  readonly command: Command | undefined

  constructor(message: string, command?: Command) {
    super(message)
    this.command = command
  }
}

export interface CommandLine {
  readonly command: Command
  readonly options: Readonly<Record<string, string | boolean>>
  readonly operands: readonly string[]
  readonly json: boolean
  readonly help: boolean
  /** Milliseconds. */
  readonly timeout: number | undefined
}

export function optionsOf({ options = {} }: Command): Options {
  return { ...options, ...commonOptions }
}

/** @throws UsageError */
export function readCommandLine(given: readonly string[]): CommandLine {
  const command = commandIn(given)
  const known = optionsOf(command)
  const { values, positionals: operands } = parse(given.slice(wordsOf(command).length), known, command)
  const { json = false, help = false, timeout, ...options } = values
  for (const [name, value] of Object.entries(values)) {
    const option = known[name]
    if (option?.type === 'string') checkChoice(`--${name}`, value, option.choices, command)
  }
  if (help !== true) checkOperands(operands, command)
  return {
    command,
    options,
    operands,
    json: json === true,
    help: help === true,
    timeout: timeout === undefined ? undefined : milliseconds(timeout, command),
  }
}

function wordsOf({ name }: Command): string[] {
  return name.split(' ')
}

function commandIn(given: readonly string[]): Command {
  const found = commands.find((command) => wordsOf(command).every((word, index) => given[index] === word))
  if (found) return found
  const [first = '', second] = given
  const kinds = commands.flatMap(({ name }) => (name.startsWith(`${first} `) ? name.slice(first.length + 1) : []))
  if (first === '') throw new UsageError('a command is missing')
  if (kinds.length === 0) throw new UsageError(`there is no command ${JSON.stringify(first)}`)
  const what = second === undefined ? 'needs' : `${JSON.stringify(second)}: expected`
  throw new UsageError(`${first} ${what} one of ${kinds.join(', ')}`)
}

function parse(
  args: string[],
  known: Options,
  command: Command,
): { values: Record<string, string | boolean>; positionals: string[] } {
  const options = Object.fromEntries(
    Object.entries(known).map(([name, { type }]) => [name, { type, ...(name === 'help' && { short: 'h' }) }]),
  )
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
    return { values: values as Record<string, string | boolean>, positionals }
  } catch (error) {
    const [message = ''] = (error as Error).message.split(/\. |\n/)
    throw new UsageError(message, command)
  }
}

function checkOperands(given: readonly string[], command: Command): void {
  const { operands = [] } = command
  const missing = operands.find(({ repeated = false }, index) => !repeated && given[index] === undefined)
  if (missing) throw new UsageError(`${missing.name} is missing`, command)
  for (const [index, value] of given.entries()) {
    const operand = operandAt(operands, index)
    if (operand === undefined) throw new UsageError(`${JSON.stringify(value)} is one word too many`, command)
    checkChoice(operand.name, value, operand.choices, command)
  }
}

function operandAt(operands: readonly Operand[], index: number): Operand | undefined {
  return operands[index] ?? (operands.at(-1)?.repeated === true ? operands.at(-1) : undefined)
}

function checkChoice(name: string, value: unknown, choices: readonly string[] | undefined, command: Command): void {
  if (choices === undefined || choices.some((choice) => choice === String(value).toLowerCase() || choice === value))
    return
  throw new UsageError(`${name}: expected one of ${choices.join(', ')}, got ${JSON.stringify(value)}`, command)
}

function milliseconds(seconds: string | boolean, command: Command): number {
  const value = typeof seconds === 'string' && /^\d+(\.\d+)?$/.test(seconds) ? Number(seconds) * 1000 : 0
  if (value > 0 && value < 2 ** 31) return value
  throw new UsageError(`--timeout: expected seconds above 0, got ${JSON.stringify(seconds)}`, command)
}
