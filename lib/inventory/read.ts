import { setImmediate as nextTurn } from 'node:timers/promises'
import { binding, finishWithin } from '../binding.ts'
import type { DeviceLook, Job, WalkPart } from '../binding.ts'
import { asBrickError } from '../operation.ts'
import type { BlockDevice } from './block-device.ts'
import { controllersAmong } from './controllers.ts'
import type { NvmeControllerPlace } from './controllers.ts'
import { readWalk } from './walk.ts'
import type { WalkEntry } from './walk.ts'
import { WalkPlan } from './walk-plan.ts'
import { blockFolder, controllerFolder, subsystemFolders, toSubsystem, WalkedDevice } from './walked-device.ts'
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

/** What a walk has found. */
export interface Found {
  readonly devices: readonly BlockDevice[]
  readonly controllers: () => readonly NvmeControllerPlace[]
}

/**
 * The block devices and NVMe controllers of a host as sysfs has them. Nobody waits long while thousands of them are made:
 * the event loop gets its turn after each stretch.
 *
 * @throws BrickError SYSTEM or PERMISSION_DENIED when sysfs cannot be read
 */
export async function readAll(root = '/sys'): Promise<Found> {
  return await find(root, plans.all, null, (entry, holders) => {
    for (const slave of entry.names('slaves') ?? []) {
      holders.set(slave, [...(holders.get(slave) ?? []), entry.name].sort())
    }
  })
}

/** Those of these devices that there are. Costs the same however many others there are. */
export async function readSomeDevices(names: readonly string[], root = '/sys'): Promise<readonly BlockDevice[]> {
  const plan = names.some(isNvme) ? plans.someNvme : plans.some
  const { devices } = await find(root, plan, names, noteOwnHolders)
  return devices
}

/** What is to be asked of devices for `devicesIn`. */
export const lookPlan = plans.some

/** Whether a look has all that there is to know of these devices: of NVMe's it lacks their subsystems. */
export function covers(look: DeviceLook, names: readonly string[]): boolean {
  return names.every((name) => look.names.includes(name) && !isNvme(name))
}

/** Those of the devices of a look that there are. */
export function devicesIn(look: DeviceLook): readonly BlockDevice[] {
  const maker = new Maker(lookPlan, noteOwnHolders)
  for (const entry of readWalk(look.bytes, lookPlan)) maker.take(entry)
  return maker.devices
}

function isNvme(name: string): boolean {
  return name.startsWith('nvme')
}

/** Notes what a device says of which one is built upon which. */
type NoteHolders = (entry: WalkEntry, holders: Map<string, string[]>) => void

const noteOwnHolders: NoteHolders = (entry, holders) => {
  holders.set(entry.name, entry.names('holders')?.sort() ?? [])
}

/** @param plan its last folder is that of the devices */
async function find(
  root: string,
  plan: WalkPlan,
  only: readonly string[] | null,
  noteHolders: NoteHolders,
): Promise<Found> {
  const maker = new Maker(plan, noteHolders)
  for await (const entries of walkInParts(root, plan, only)) {
    await gently(entries, (entry) => {
      maker.take(entry)
    })
  }
  return maker
}

/** Makes devices and controllers of a walk's entries. */
class Maker implements Found {
  readonly devices: BlockDevice[] = []
  readonly #noteHolders: NoteHolders
  /** The number of the devices' folder. */
  readonly #last: number
  readonly #holders = new Map<string, string[]>()
  readonly #subsystems = new Map<string, Subsystem>()
  readonly #controllers: WalkEntry[] = []
  readonly #namespaces: WalkEntry[] = []

  constructor(plan: WalkPlan, noteHolders: NoteHolders) {
    this.#noteHolders = noteHolders
    this.#last = plan.fields.length - 1
  }

  take(entry: WalkEntry): void {
    if (entry.folder < this.#last) {
      this.#subsystems.set(entry.name, toSubsystem(entry))
      if (entry.folder === controllerFolder) this.#controllers.push(entry)
      return
    }
    if (isNvme(entry.name)) this.#namespaces.push(entry)
    if (!WalkedDevice.hasNode(entry)) return
    this.devices.push(new WalkedDevice(entry, this.#holders, this.#subsystems))
    this.#noteHolders(entry, this.#holders)
  }

  readonly controllers = (): NvmeControllerPlace[] => {
    return controllersAmong(this.#controllers, this.#namespaces)
  }
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
