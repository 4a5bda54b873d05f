import { optionsOf } from './command-line.ts'
import type { Command } from './command.ts'
import { choicesOf } from './help.ts'

export const shells = ['bash', 'zsh', 'fish']

/** The script that has a shell complete these commands, their options and what is known of their values. */
export function completionFor(shell: string, commands: readonly Command[]): string {
  if (shell === 'fish') return fish(commands)
  // zsh reads bash's completions itself.
  return shell === 'zsh' ? `autoload -U +X bashcompinit && bashcompinit\n${bash(commands)}` : bash(commands)
}

/** What was typed before the word decides: the most telling pattern comes first. */
function bash(commands: readonly Command[]): string {
  const cases = commands.flatMap((command) => {
    const options = Object.entries(optionsOf(command))
    const values = options.flatMap(([name, option]) => {
      if (option.type !== 'string') return []
      const offer = option.value === 'FILE' ? files : words(option.choices ?? [])
      return [`    '${command.name} '*'--${name} ') ${offer} ;;`]
    })
    const offered = [...options.map(([name]) => `--${name}`), ...operandChoices(command)]
    return [...values, `    '${command.name} '*) ${words(offered)} ;;`]
  })
  const kinds = [...seconds(commands)].map(([first, names]) => `    '${first} ') ${words(names)} ;;`)
  return `_hostbrick() {
  local word=\${COMP_WORDS[COMP_CWORD]} line="\${COMP_WORDS[*]:1:$((COMP_CWORD - 1))} "
  case $line in
    ' ') ${words([...new Set(commands.map(({ name }) => name.replace(/ .*/, '')))])} ;;
${[...kinds, ...cases].join('\n')}
  esac
}
complete -F _hostbrick hostbrick`
}

const files = 'COMPREPLY=($(compgen -f -- "$word"))'

function words(offered: readonly string[]): string {
  return `COMPREPLY=($(compgen -W '${offered.join(' ')}' -- "$word"))`
}

function operandChoices({ operands = [] }: Command): readonly string[] {
  return operands.flatMap(({ choices = [] }) => choices)
}

/** Of commands of two words, the second ones by the first. */
function seconds(commands: readonly Command[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const { name } of commands) {
    const [first = '', second] = name.split(' ')
    if (second !== undefined) found.set(first, [...(found.get(first) ?? []), second])
  }
  return found
}

function fish(commands: readonly Command[]): string {
  const firsts = commands.map(({ name, summary }) => [name.replace(/ .*/, ''), summary] as const)
  const kinds = seconds(commands)
  return [
    'complete -c hostbrick -f',
    ...[...new Map(firsts)].map(
      ([name, summary]) =>
        `${when('__fish_use_subcommand')} -a ${name} -d ${quoted(kinds.has(name) ? 'what a portal has' : summary)}`,
    ),
    ...[...kinds].map(([first, names]) => {
      const pending = [seen(first), `not __fish_seen_subcommand_from ${names.join(' ')}`].join('; and ')
      return `${when(pending)} -a '${names.join(' ')}'`
    }),
    ...commands.flatMap((command) => {
      const condition = when(command.name.split(' ').map(seen).join('; and '))
      const options = Object.entries(optionsOf(command)).map(([name, option]) => {
        const choices = choicesOf(option)
        const value = option.type !== 'string' ? '' : option.value === 'FILE' ? ' -r -F' : ' -x'
        return `${condition} -l ${name}${value}${choices ? ` -a '${choices.join(' ')}'` : ''} -d ${quoted(option.means)}`
      })
      const choices = operandChoices(command)
      return [...options, ...(choices.length > 0 ? [`${condition} -a '${choices.join(' ')}'`] : [])]
    }),
  ].join('\n')
}

function when(condition: string): string {
  return `complete -c hostbrick -n ${quoted(condition)}`
}

function seen(word: string): string {
  return `__fish_seen_subcommand_from ${word}`
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
