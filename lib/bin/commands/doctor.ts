import { styleText } from 'node:util'
import { capabilityNames } from '../../capabilities/capabilities.ts'
import { capabilities } from '../../index.ts'
import type { Capability, Missing } from '../../index.ts'
import { columns } from '../columns.ts'
import { command } from '../command.ts'
import { remedyFor } from '../remedies.ts'

export const doctor = command({
  name: 'doctor',
  summary: 'what works on this host for this process, and what to do about what does not',
  operands: [
    {
      name: 'WHAT',
      means: 'a transport, way of multipathing or daemon; by default all',
      choices: capabilityNames,
      repeated: true,
    },
  ],
  description: [
    'Looks at what each transport and daemon needs: modules, device nodes, Linux capabilities, mounts, namespaces, sockets, files and programs. Nothing is loaded, started or changed.',
    'With names, exit status 3 says that not all of them work; without, everything is listed, and nobody needs all of it.',
  ],
  examples: [
    { command: 'hostbrick doctor', means: 'everything' },
    { command: 'hostbrick doctor iscsi multipath', means: 'whether these two work, for scripts and probes' },
  ],
  async run({ operands, limits }) {
    const all: Readonly<Record<string, Capability>> = await capabilities(limits)
    const asked = Object.entries(all).filter(([name]) => operands.length === 0 || operands.includes(name))
    const fails = operands.length > 0 && asked.some(([, { works }]) => !works)
    return { json: Object.fromEntries(asked), text: report(asked), status: fails ? 3 : 0 }
  },
})

function report(asked: readonly (readonly [string, Capability])[]): string {
  const rows = asked.map(([name, { works, missing }]) => [name, works ? 'works' : 'no', missing.map(label).join(', ')])
  const table = columns([['WHAT', 'WORKS', 'MISSING'], ...rows]).replace(/^(\w+ +)(works|no)\b/gm, coloured)
  const missing = asked.flatMap(([, capability]) => capability.missing)
  return [table, ...advice(missing)].join('\n\n')
}

/** What to do about each thing once, and about those together that are missing in the same way. */
function advice(missing: readonly Missing[]): string[] {
  const together = new Map<string, Set<string>>()
  for (const each of missing) {
    const say = `: ${each.message}\n  ${remedyFor(each)}`
    together.set(say, (together.get(say) ?? new Set()).add(label(each)))
  }
  return [...together].map(([say, names]) => `${[...names].join(', ')}${say}`)
}

function label({ kind, name }: Missing): string {
  return kind === 'capability' ? name : `${kind} ${name}`
}

/** For eyes; the word says it, too. */
function coloured(_: string, name: string, word: string): string {
  return `${name}${styleText(word === 'works' ? 'green' : 'red', word, { stream: process.stdout })}`
}
