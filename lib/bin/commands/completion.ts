import { command } from '../command.ts'
import type { Command } from '../command.ts'
import { completionFor, shells } from '../completion.ts'

/** @param commands those to complete, itself among them */
export const completionOf = (commands: () => readonly Command[]): Command =>
  command({
    name: 'completion',
    summary: 'what makes a shell complete the words of this command',
    operands: [{ name: 'SHELL', means: 'the shell', choices: shells }],
    description: ['Prints a script for the shell to read.'],
    examples: [
      { command: 'hostbrick completion bash > /etc/bash_completion.d/hostbrick', means: 'for every user of bash' },
      { command: 'source <(hostbrick completion zsh)', means: 'for this zsh' },
      { command: 'hostbrick completion fish > ~/.config/fish/completions/hostbrick.fish', means: 'for your fish' },
    ],
    run({ operands: [shell = ''] }) {
      const script = completionFor(shell, commands())
      return Promise.resolve({ json: { script }, text: script })
    },
  })
