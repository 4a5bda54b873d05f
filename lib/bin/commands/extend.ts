import { invalid } from '../../errors.ts'
import { command } from '../command.ts'
import { readVolume, volumeInput, volumeOptions } from '../volume.ts'

export const extend = command({
  name: 'extend',
  summary: 'make this host see the size that the volume has on the backend',
  input: volumeInput,
  options: {
    ...volumeOptions,
    expect: { type: 'string', value: 'BYTES', means: 'what it should have grown to; a smaller device is a failure' },
  },
  description: [
    'Looks at all paths again, has a multipath map grown when they agree, and prints the size in bytes. A file system on it is not touched.',
  ],
  examples: [
    { command: 'hostbrick extend < volume.json', means: 'print the size in bytes' },
    { command: 'hostbrick extend --expect 21474836480 < volume.json', means: 'fail if it is not 20 GiB yet' },
  ],
  async run(invocation) {
    const { options, limits } = invocation
    const expectedBytes = options.expect === undefined ? undefined : bytes(options.expect)
    const { connector, properties } = await readVolume(invocation)
    const size = await connector.extendVolume(properties, { ...limits, expectedBytes })
    return { json: { size }, text: String(size) }
  },
})

function bytes(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw invalid('--expect', 'bytes', text)
  return Number(text)
}
