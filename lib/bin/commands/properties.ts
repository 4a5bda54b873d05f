import { getConnectorProperties } from '../../index.ts'
import { columns } from '../columns.ts'
import { command } from '../command.ts'

export const properties = command({
  name: 'properties',
  summary: 'what a storage backend has to know of this host',
  operands: [{ name: 'ADDRESS', means: "this host's address, as the backend is to know it" }],
  options: {
    host: { type: 'string', value: 'NAME', means: "this host's name; by default the kernel's" },
    multipath: { type: 'boolean', means: 'say that volumes are attached over all paths' },
    'enforce-multipath': { type: 'boolean', means: 'say that they must be' },
  },
  description: [
    "Prints the connector properties that Cinder asks of a host, by os-brick's keys. Nothing is made or changed: where the host has no NVMe name, there is no nqn.",
  ],
  examples: [
    { command: 'hostbrick properties 192.0.2.7', means: 'for people' },
    { command: 'hostbrick properties 192.0.2.7 --multipath --json', means: 'for Cinder' },
  ],
  async run({ operands: [ip = ''], options, limits }) {
    const known = await getConnectorProperties({
      ...limits,
      ip,
      host: options.host,
      multipath: options.multipath,
      enforceMultipath: options['enforce-multipath'],
    })
    const rows = Object.entries<unknown>({ ...known }).map(([name, value]) => [name, [value].flat().join(' ')])
    return { json: known, text: columns(rows) }
  },
})
