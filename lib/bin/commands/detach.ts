import { readFileSync } from 'node:fs'
import { BrickError } from '../../index.ts'
import { command } from '../command.ts'
import { expectObject, parseJson } from '../input.ts'
import { readVolume, volumeInput, volumeOptions } from '../volume.ts'

export const detach = command({
  name: 'detach',
  summary: 'take a volume away from this host',
  input: `${volumeInput}; with a member "device_info", what attach has printed with --json`,
  options: {
    ...volumeOptions,
    device: { type: 'string', value: 'FILE', means: 'what attach has printed with --json, to prove the device by' },
    force: { type: 'boolean', means: 'go on when it is in use or cannot be written out: what was not written is lost' },
    'ignore-errors': { type: 'boolean', means: 'with --force: do not fail because of that' },
  },
  description: [
    'Flushes the volume and removes its device, its paths and whatever else only it needs. It is no failure when it is not there, or not any more.',
    'What is mounted, part of another device or open exclusively is left alone (exit status 8), unless --force is given. The device info is not needed: without it the properties and the kernel decide.',
  ],
  examples: [
    { command: 'hostbrick detach < volume.json', means: 'what the properties describe' },
    { command: 'hostbrick detach --device device.json < volume.json', means: 'only if it still is that volume' },
  ],
  async run(invocation) {
    const { options, limits } = invocation
    const known = options.device === undefined ? undefined : readDevice(options.device)
    const { connector, properties } = await readVolume(invocation)
    await connector.disconnectVolume(properties, known ?? properties['device_info'], {
      ...limits,
      force: options.force,
      ignoreErrors: options['ignore-errors'],
    })
    return { json: { detached: true }, text: '' }
  },
})

function readDevice(path: string): unknown {
  return expectObject(parseJson(readText(path), path, 'a device info'), path)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new BrickError('INVALID_ARGUMENT', `--device: ${(cause as Error).message}`, {
      cause,
      details: { field: '--device' },
    })
  }
}
