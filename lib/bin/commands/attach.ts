import { styleText } from 'node:util'
import type { DeviceInfo } from '../../index.ts'
import { command } from '../command.ts'
import { readVolume, volumeInput, volumeOptions } from '../volume.ts'

export const attach = command({
  name: 'attach',
  summary: 'bring a volume to this host, and print its device',
  input: volumeInput,
  options: {
    ...volumeOptions,
    multipath: { type: 'boolean', means: 'attach over all paths at once' },
    'enforce-multipath': { type: 'boolean', means: 'with --multipath: no multipath device is a failure' },
  },
  description: [
    'Attaches the volume, proves that the device is the volume, and prints the path of the device; with --json all that detach may be given later. Attaching twice gives the same device. What fails or is interrupted is undone.',
    'With --multipath it returns when every portal has been tried. One that is out of reach costs its share of the time and makes the attach degraded; call attach again to add it when it is back.',
  ],
  examples: [
    { command: 'hostbrick attach < volume.json', means: 'print the path of the device' },
    {
      command: 'hostbrick attach --multipath --json < volume.json > device.json',
      means: 'over all paths; keep what is known of it',
    },
  ],
  async run(invocation) {
    const { options, limits } = invocation
    const { connector, properties } = await readVolume(invocation, {
      useMultipath: options.multipath,
      enforceMultipath: options['enforce-multipath'],
    })
    const device = await connector.connectVolume(properties, { ...limits, ready: 'all' })
    if (device.degraded) warn(device)
    return { json: device, text: device.path }
  },
})

function warn({ paths, expected_paths, failures }: DeviceInfo): void {
  const lines = [
    `degraded: ${paths.length} of ${expected_paths} paths`,
    ...failures.map(({ portal, code, message }) => `  ${portal ?? 'the volume'}: ${message} (${code})`),
  ]
  console.error(styleText('yellow', lines.join('\n'), { stream: process.stderr }))
}
