import { optionsOf } from './command-line.ts'
import type { Command, Operand, Option } from './command.ts'
import { commands } from './commands.ts'
import { exitStatuses } from './exit-status.ts'

export const purpose = 'attach block storage to a Linux host'

/** The help of the whole. */
export function help(): string {
  return [
    'usage: hostbrick COMMAND [OPTION...] [OPERAND...]',
    section(
      'commands:',
      commands.map(({ name, summary }) => [name, summary]),
    ),
    section(
      'exit status:',
      exitStatuses.map(({ status, means }) => [String(status), means]),
    ),
    'hostbrick COMMAND --help tells more of each, with examples.',
  ].join('\n\n')
}

/** The help of one. */
export function helpFor(command: Command): string {
  const { operands = [], input, description, examples } = command
  const options = Object.entries(optionsOf(command))
  return [
    `usage: ${synopsis(command)}`,
    ...description.map((each) => filled(each)),
    ...(input === undefined ? [] : [filled(`Standard input: ${input}.`)]),
    ...(operands.length === 0
      ? []
      : [
          section(
            'operands:',
            operands.map(({ name, means, choices }) => [name, meaning(means, choices)]),
          ),
        ]),
    section(
      'options:',
      options.map(([name, option]) => [written(name, option), meaning(option.means, choicesOf(option))]),
    ),
    ['examples:', ...examples.map((example) => `  ${example.command}\n      ${example.means}`)].join('\n'),
  ].join('\n\n')
}

/** 'hostbrick discover iscsi [OPTION...] PORTAL < JSON' */
export function synopsis({ name, operands = [], input }: Command): string {
  const given = input === undefined || input.startsWith('with --') ? [] : ['< JSON']
  return ['hostbrick', name, '[OPTION...]', ...operands.map(operandText), ...given].join(' ')
}

function operandText({ name, repeated = false }: Operand): string {
  return repeated ? `[${name}...]` : name
}

/** '--protocol NAME' */
export function written(name: string, option: Option): string {
  return option.type === 'string' ? `--${name} ${option.value}` : `--${name}`
}

export function choicesOf(option: Option): readonly string[] | undefined {
  return option.type === 'string' ? option.choices : undefined
}

export function meaning(means: string, choices: readonly string[] | undefined): string {
  return choices === undefined ? means : `${means}; one of ${choices.join(', ')}`
}

function section(title: string, rows: readonly (readonly [name: string, means: string])[]): string {
  const widest = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, means]) => `  ${name.padEnd(widest)}  ${filled(means, widest + 4)}`)
  return [title, ...lines].join('\n')
}

/** Broken into lines that fit a terminal; all but the first are indented. */
function filled(text: string, indent = 0): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > 79) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`)
}
