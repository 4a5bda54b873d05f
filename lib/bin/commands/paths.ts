import { command } from '../command.ts'
import { readVolume, volumeInput, volumeOptions } from '../volume.ts'

export const paths = command({
  name: 'paths',
  summary: "the device nodes of a volume's paths",
  input: volumeInput,
  options: volumeOptions,
  description: [
    'Prints the device node of each path that the volume has on this host, and nothing when it is not attached.',
  ],
  examples: [{ command: 'hostbrick paths < volume.json', means: 'a node on each line' }],
  async run(invocation) {
    const { connector, properties } = await readVolume(invocation)
    const found = await connector.getVolumePaths(properties, invocation.limits)
    return { json: { paths: found }, text: found.join('\n') }
  },
})
