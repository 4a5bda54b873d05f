import { optionsOf } from './command-line.ts'
import type { Command, Operand, Option } from './command.ts'
import { commands } from './commands.ts'
import { exitStatuses } from './exit-status.ts'
import { choicesOf, meaning, purpose, synopsis, written } from './help.ts'

/** hostbrick(1), in man(7)'s macros. */
export function manual(): string {
  const parts = [
    '.TH HOSTBRICK 1',
    section('NAME', `hostbrick \\- ${text(purpose)}`),
    section('SYNOPSIS', '.B hostbrick', text('COMMAND [OPTION...] [OPERAND...]')),
    section(
      'DESCRIPTION',
      text(
        'hostbrick attaches volumes to this host from the connection properties that a storage backend hands out, proves that the device is the volume, and takes it away again with nothing left behind. Properties, and all secrets, are read from standard input. A first interrupt ends a command, which undoes what it did; a second one ends it at once.',
      ),
      '.PP',
      text(
        'On a terminal each step that takes over half a second is told on standard error. Colours are used on terminals only, and not when NO_COLOR is set.',
      ),
    ),
    section('COMMANDS', ...commands.map(commandPart)),
    section(
      'EXIT STATUS',
      ...exitStatuses.map(({ status, means, codes }) =>
        item(String(status), codes.length === 0 ? means : `${means} (${codes.join(', ')})`),
      ),
    ),
  ]
  return `${parts.join('\n')}\n`
}

function commandPart(command: Command): string {
  const { operands = [], input, description, examples } = command
  return [
    `.SS ${text(synopsis(command))}`,
    description.map(text).join('\n.PP\n'),
    ...(input === undefined ? [] : ['.PP', text(`Standard input: ${input}.`)]),
    ...operands.map(operandPart),
    ...Object.entries(optionsOf(command)).map(optionPart),
    '.PP',
    'Examples:',
    ...examples.map((example) =>
      ['.PP', text(example.means), '.RS', '.EX', text(example.command), '.EE', '.RE'].join('\n'),
    ),
  ].join('\n')
}

function operandPart({ name, means, choices }: Operand): string {
  return item(name, meaning(means, choices))
}

function optionPart([name, option]: readonly [string, Option]): string {
  return item(written(name, option), meaning(option.means, choicesOf(option)))
}

function item(term: string, means: string): string {
  return ['.TP', `.B ${text(term)}`, text(means)].join('\n')
}

function section(title: string, ...lines: readonly string[]): string {
  return [`.SH ${title}`, ...lines].join('\n')
}

/** What is plain text must not be read as a request or an escape. */
function text(plain: string): string {
  return plain
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '...')
    .replace(/^(?=[.'])/, '\\&')
}
