import { withDeadline } from '../../abort.ts'
import { BrickError, watch } from '../../index.ts'
import type { HostChange } from '../../index.ts'
import { command } from '../command.ts'
import type { Answer } from '../command.ts'
import { humanSize } from '../tree.ts'

export const watchCommand = command({
  name: 'watch',
  summary: "what changes in this host's storage, as it happens",
  description: [
    'Tells of block devices, iSCSI sessions, NVMe controllers and the paths of multipath maps: a line for each change, with --json a JSON document for each. It goes on until it is interrupted, or the time of --timeout is over, which is no failure.',
  ],
  examples: [
    { command: 'hostbrick watch', means: 'until Ctrl-C' },
    {
      command: `hostbrick watch --json | jq --unbuffered 'select(.kind == "path")'`,
      means: 'only paths of multipath maps',
    },
  ],
  async *run({ limits: { signal, timeout } }): AsyncGenerator<Answer> {
    const end = timeout === undefined ? signal : withDeadline(signal, timeout)
    try {
      for await (const change of watch({ signal: end })) yield { json: change, text: inWords(change) }
    } catch (error) {
      if (!(error instanceof BrickError && error.code === 'ABORTED')) throw error
    }
  },
})

function inWords(change: HostChange): string {
  switch (change.kind) {
    case 'device': {
      const { path, size } = change.device
      const what = change.change === 'changed' ? change.fields.join(', ') : humanSize(size)
      return `device ${path} ${change.change}: ${what}`
    }
    case 'session': {
      const { id, target, portal, state } = change.session
      const what = change.change === 'error' ? change.error : state
      return `session ${id} ${change.change}: ${what}, ${target} at ${portal}`
    }
    case 'controller': {
      const { name, nqn, transport, state } = change.controller
      return `controller ${name} ${change.change}: ${state}, ${nqn} over ${transport}`
    }
    case 'path':
      return `path ${change.path} ${change.change}: ${change.working} of ${change.map.name} work`
  }
}
