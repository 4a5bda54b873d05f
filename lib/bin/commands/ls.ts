import { inventory } from '../../index.ts'
import { command } from '../command.ts'
import { deviceTree } from '../tree.ts'

export const ls = command({
  name: 'ls',
  summary: 'the block devices of this host, as a tree',
  description: [
    "Lists every block device with its size, what it is reached by, where it sits and what it says it is. A disk's partitions, and the devices that are built upon it, are below it. No device is sent a command.",
  ],
  examples: [
    { command: 'hostbrick ls', means: 'the tree' },
    {
      command: `hostbrick ls --json | jq '.devices[] | select(.transport == "iscsi")'`,
      means: 'all that is known of iSCSI disks',
    },
  ],
  async run({ limits }) {
    const { devices, controllers, mounts } = await inventory(limits)
    return { json: { devices, controllers, mounts }, text: deviceTree(devices) }
  },
})
