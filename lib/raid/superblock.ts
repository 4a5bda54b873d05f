import { readDevice } from '../block/disk.ts'

/** Where version 1.2 has it, and how much of it there is at most. */
const offset = 4096
const length = 4096

/** Roles from here on are those of a spare, a journal or a device that has failed (include/uapi/linux/raid/md_p.h). */
const roleLimit = 0xff00

/** What a device says of the MD array that it is a part of. */
export interface Superblock {
  /** The array's UUID, as the kernel spells it. */
  readonly array: string
  /** The array's name, without the host that it belongs to. */
  readonly name: string
  readonly level: number
  /** The number that this device has in the array, whatever its role. */
  readonly device: number
  /** The numbers of the devices of which this one knows that they have the array's data. */
  readonly active: readonly number[]
}

/** What is written on a device; undefined when it is no part of an array, or one with metadata of another version. */
export async function readSuperblock(path: string, signal: AbortSignal): Promise<Superblock | undefined> {
  return parseSuperblock(await readDevice(path, offset, length, signal))
}

/** struct mdp_superblock_1, little-endian. */
export function parseSuperblock(bytes: Buffer): Superblock | undefined {
  if (bytes.length < length || bytes.readUInt32LE(0) !== 0xa92b_4efc || bytes.readUInt32LE(4) !== 1) return undefined
  const count = Math.min(bytes.readUInt32LE(220), (length - 256) / 2)
  const roles = Array.from({ length: count }, (_, device) => bytes.readUInt16LE(256 + 2 * device))
  const name = bytes.toString('utf8', 32, 64).replace(/\0.*$/s, '')
  return {
    array: bytes.toString('hex', 16, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    name: name.slice(name.indexOf(':') + 1),
    level: bytes.readInt32LE(72),
    device: bytes.readUInt32LE(160),
    active: roles.flatMap((role, device) => (role < roleLimit ? [device] : [])),
  }
}
