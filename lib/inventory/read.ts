import { setImmediate as nextTurn } from 'node:timers/promises'
import { binding, finishWithin } from '../binding.ts'
import type { Job, WalkPart } from '../binding.ts'
import { asBrickError } from '../operation.ts'
import type { BlockDevice } from './block-device.ts'
import { readWalk } from './walk.ts'
import type { WalkEntry } from './walk.ts'
import { WalkPlan } from './walk-plan.ts'
import { blockFolder, subsystemFolders, toSubsystem, WalkedDevice } from './walked-device.ts'
import type { Subsystem } from './walked-device.ts'

/** Milliseconds that a walk may take. It reads memory only: a kernel that does not answer for so long is in trouble. */
const patience = 60_000

/** Milliseconds for which the devices of a walk are made at a stretch. */
const stretch = 2

/** What is built upon some devices need not be among them: they are asked for it themselves. */
const someFolder = { ...blockFolder, directories: [...blockFolder.directories, { name: 'holders' }] }

const plans = {
  all: new WalkPlan([...subsystemFolders, blockFolder]),
  some: new WalkPlan([someFolder]),
  someNvme: new WalkPlan([...subsystemFolders, someFolder]),
}

/**
 * The block devices of a host as sysfs has them. Nobody waits long while thousands of them are made: the event loop gets
 * its turn after each stretch.
 *
 * @throws BrickError SYSTEM or PERMISSION_DENIED when sysfs cannot be read
 */
export async function readDevices(root = '/sys'): Promise<BlockDevice[]> {
  return await makeDevices(root, plans.all, null, (entry, holders) => {
    for (const slave of entry.names('slaves') ?? []) {
      holders.set(slave, [...(holders.get(slave) ?? []), entry.name].sort())
    }
  })
}

/** Those of these devices that there are. Costs the same however many others there are. */
export async function readSomeDevices(names: readonly string[], root = '/sys'): Promise<BlockDevice[]> {
  const plan = names.some((name) => name.startsWith('nvme')) ? plans.someNvme : plans.some
  return await makeDevices(root, plan, names, (entry, holders) => {
    holders.set(entry.name, entry.names('holders')?.sort() ?? [])
  })
}

/**
 * @param plan its last folder is that of the devices
 * @param noteHolders notes what a device says of which one is built upon which
 */
async function makeDevices(
  root: string,
  plan: WalkPlan,
  only: readonly string[] | null,
  noteHolders: (entry: WalkEntry, holders: Map<string, string[]>) => void,
): Promise<BlockDevice[]> {
  const devices: BlockDevice[] = []
  const holders = new Map<string, string[]>()
  const subsystems = new Map<string, Subsystem>()
  const last = plan.fields.length - 1
  for await (const entries of walkInParts(root, plan, only)) {
    await gently(entries, (entry) => {
      if (entry.folder < last) subsystems.set(entry.name, toSubsystem(entry))
      else if (WalkedDevice.hasNode(entry)) {
        devices.push(new WalkedDevice(entry, holders, subsystems))
        noteHolders(entry, holders)
      }
    })
  }
  return devices
}

/** The entries of a walk; the kernel is read on while those that are there are made use of. */
async function* walkInParts(
  root: string,
  plan: WalkPlan,
  only: readonly string[] | null,
): AsyncGenerator<Generator<WalkEntry>, void, undefined> {
  const read = (part: Job<WalkPart>): Promise<WalkPart> => finishWithin(part, patience)
  try {
    let next: Promise<WalkPart> | undefined = read(binding().walkInParts('inventory', root, plan.text, only))
    while (next) {
      const { bytes, more }: WalkPart = await next
      next = more ? read(more()) : undefined
      // It may fail before it is waited for.
      next?.catch(() => undefined)
      yield readWalk(bytes, plan)
    }
  } catch (error) {
    throw asBrickError(error, 'walk')
  }
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
