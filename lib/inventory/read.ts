import { setImmediate as nextTurn } from 'node:timers/promises'
import { binding, finishWithin } from '../binding.ts'
import type { WalkFolder } from '../binding.ts'
import { asBrickError } from '../operation.ts'
import type { BlockDevice } from './block-device.ts'
import { readWalk } from './walk.ts'
import type { WalkEntry } from './walk.ts'
import { blockFolder, subsystemFolders, toSubsystem, WalkedDevice } from './walked-device.ts'
import type { Subsystem } from './walked-device.ts'

/** Milliseconds that a walk may take. It reads memory only: a kernel that does not answer for so long is in trouble. */
const patience = 60_000

const none: readonly string[] = []

/** Milliseconds for which the devices of a walk are made at a stretch. */
const stretch = 2

/**
 * The block devices of a host as sysfs has them. Nobody waits long while thousands of them are made: the event loop gets
 * its turn after each stretch.
 *
 * @throws BrickError SYSTEM or PERMISSION_DENIED when sysfs cannot be read
 */
export async function readDevices(root = '/sys'): Promise<BlockDevice[]> {
  const { blocks, subsystems } = await walk(root, blockFolder, subsystemFolders)
  const holders = await holdersOf(blocks)
  const devices: BlockDevice[] = []
  await gently(blocks, (entry) => {
    devices.push(new WalkedDevice(entry, holders.get(entry.name) ?? none, subsystems))
  })
  return devices
}

async function gently<T>(items: Iterable<T>, act: (item: T) => void): Promise<void> {
  let end = performance.now() + stretch
  let number = 0
  for (const item of items) {
    act(item)
    // The clock is dearer than a device.
    if (++number % 16 === 0 && performance.now() > end) {
      await nextTurn()
      end = performance.now() + stretch
    }
  }
}

/** Those of these devices that there are. Costs the same however many others there are. */
export async function readSomeDevices(names: readonly string[], root = '/sys'): Promise<BlockDevice[]> {
  // What is built upon them is not among them: they are asked for it themselves.
  const directories = [...blockFolder.directories, { name: 'holders' }]
  const some = { ...blockFolder, directories, entries: names }
  const { blocks, subsystems } = await walk(root, some, names.some(isNvme) ? subsystemFolders : [])
  return blocks.map((entry) => new WalkedDevice(entry, entry.names('holders')?.sort() ?? none, subsystems))
}

function isNvme(name: string): boolean {
  return name.startsWith('nvme')
}

async function walk(
  root: string,
  block: WalkFolder,
  others: readonly WalkFolder[],
): Promise<{ blocks: WalkEntry[]; subsystems: Map<string, Subsystem> }> {
  const folders = [...others, block]
  try {
    const bytes = await finishWithin(binding().walk('inventory', root, folders), patience)
    const blocks: WalkEntry[] = []
    const subsystems = new Map<string, Subsystem>()
    await gently(readWalk(bytes, folders), (entry) => {
      if (entry.folder < others.length) subsystems.set(entry.name, toSubsystem(entry))
      else if (WalkedDevice.hasNode(entry)) blocks.push(entry)
    })
    return { blocks, subsystems }
  } catch (error) {
    throw asBrickError(error, 'walk')
  }
}

/** What is built upon each device, by what each is built upon. */
async function holdersOf(entries: readonly WalkEntry[]): Promise<Map<string, string[]>> {
  const holders = new Map<string, string[]>()
  await gently(entries, (entry) => {
    for (const slave of entry.names('slaves') ?? none) {
      holders.set(slave, [...(holders.get(slave) ?? []), entry.name].sort())
    }
  })
  return holders
}
