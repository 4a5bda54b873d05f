import { binding, finish } from '../binding.ts'
import { readFile, resolvePath } from '../files.ts'
import { blockDevices } from '../inventory/inventory.ts'
import type { Devices } from '../inventory/devices.ts'
import { together } from '../together.ts'

/** An MD array as the kernel has it. */
export interface RaidArray {
  /** The kernel's name: 'md127'. */
  readonly name: string
  /** Its device node. */
  readonly path: string
  /** The kernel's names of the disks that it has; of those that have gone it may still know. */
  readonly members: readonly string[]
  /** Whether it serves requests. An array that udev has begun to assemble does not. */
  readonly active: boolean
}

/** Where udev links arrays by their names. */
export function arrayPath(alias: string): string {
  return `/dev/md/${alias}`
}

/**
 * The arrays of which these disks, and no others, are members: one, or several that udev has begun to assemble.
 *
 * @param disks the kernel's names, compared as a whole: nvme1n1 is not nvme1n10
 */
export async function arraysOf(disks: readonly string[], signal: AbortSignal): Promise<RaidArray[]> {
  const host = await blockDevices(signal)
  const names = new Set(disks.flatMap((disk) => host.byName.get(disk)?.holders ?? []).filter(isArray))
  const arrays = await together([...names].map((name) => describeArray(name, host, signal)))
  return arrays.flatMap((array) => (array?.members.every((member) => disks.includes(member)) ? [array] : []))
}

/** The array that udev has linked under this name; undefined when there is none. */
export async function arrayNamed(alias: string, signal: AbortSignal): Promise<RaidArray | undefined> {
  const name = (await resolvePath(arrayPath(alias), signal))?.slice('/dev/'.length)
  return name === undefined ? undefined : describeArray(name, await blockDevices(signal), signal)
}

/**
 * Has an array copy what its legs have missed. Of one that was assembled and not yet written to, the kernel puts that off
 * until it is.
 */
export async function beginRecovery({ name }: RaidArray, signal: AbortSignal): Promise<void> {
  if ((await attribute(name, 'md/array_state', signal)) !== 'read-auto') return
  await finish(binding().writeAttribute(`md:${name}`, `/sys/class/block/${name}/md/array_state`, 'active'), signal)
}

/** How many devices an array lacks. */
export async function missingIn({ name }: RaidArray, signal: AbortSignal): Promise<number> {
  return Number((await attribute(name, 'md/degraded', signal)) ?? 0)
}

/** Whether an array has all the room that its smallest member has for it. */
export async function fillsMembers({ name, members }: RaidArray, signal: AbortSignal): Promise<boolean> {
  const rooms = await together(
    members.map(async (member) => {
      // 512-byte sectors, both of them.
      const size = Number(await attribute(member, 'size', signal))
      return size - Number(await attribute(name, `md/dev-${member}/offset`, signal))
    }),
  )
  // In KiB.
  return Number(await attribute(name, 'md/component_size', signal)) === Math.floor(Math.min(...rooms) / 2)
}

/** An array that has gone, or that is only a name (`clear`), is none (Documentation/admin-guide/md.rst). */
async function describeArray(name: string, { byName }: Devices, signal: AbortSignal): Promise<RaidArray | undefined> {
  const state = await attribute(name, 'md/array_state', signal)
  if (state === undefined || state === 'clear') return undefined
  const members = (byName.get(name)?.slaves ?? []).filter((member) => byName.has(member))
  return { name, path: `/dev/${name}`, members, active: state !== 'inactive' }
}

async function attribute(device: string, name: string, signal: AbortSignal): Promise<string | undefined> {
  const value = await readFile('sysfs', `/sys/class/block/${device}/${name}`, signal, ['ENOENT', 'ENODEV'])
  return value?.toString().trim()
}

function isArray(name: string): boolean {
  return /^md(?:\d|_)/.test(name)
}
