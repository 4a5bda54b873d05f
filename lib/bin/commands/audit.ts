import { audit } from '../../index.ts'
import type { Finding } from '../../index.ts'
import { command } from '../command.ts'

export const auditCommand = command({
  name: 'audit',
  summary: 'what is left over on this host, and what to do about it',
  description: [
    'Finds paths that have failed and that no map is above, maps without a path that works, disks that are another volume now, sessions without units, NVMe controllers that are reconnected for ever, suspended maps, and links of disks that have gone: each with its evidence and the steps of a safe way out. It changes nothing.',
    'Exit status 3 says that something was found.',
  ],
  examples: [
    { command: 'hostbrick audit', means: 'what is left over, in words' },
    { command: "hostbrick audit --json | jq -r '.findings[].subject'", means: 'only what it is about' },
  ],
  async run({ limits }) {
    const findings = await audit(limits)
    return {
      json: { findings },
      text: findings.map(paragraph).join('\n\n') || 'nothing found',
      status: findings.length > 0 ? 3 : 0,
    }
  },
})

function paragraph({ kind, subject, evidence, plan }: Finding): string {
  const found = Object.entries(evidence).map(([name, value]) => `${name} ${inWords(value)}`)
  return [`${subject}: ${kind}`, `  ${found.join(', ')}`, ...plan.map((step) => `  - ${step}`)].join('\n')
}

function inWords(value: Finding['evidence'][string] = null): string {
  if (typeof value === 'object' && value !== null) return value.join(' ') || '-'
  return String(value ?? '-')
}
