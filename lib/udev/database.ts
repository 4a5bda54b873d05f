import type { DeviceFacts } from '../binding.ts'
import { readFile } from '../files.ts'

/** What udevd's rules found out about one device. */
export interface UdevEntry {
  /** When udevd first dealt with it, in microseconds of CLOCK_MONOTONIC; 0 when that is not said. */
  readonly initialized: number
  /** Below /dev, such as 'disk/by-id/scsi-36001405…'. */
  readonly links: readonly string[]
  readonly properties: ReadonlyMap<string, string>
}

/** Whether the entry is this device's: it may still be that of one which had the number before, as far as it says that. */
export function isOf({ links }: UdevEntry, { diskSequence }: Pick<DeviceFacts, 'diskSequence'>): boolean {
  const sequences = links.filter((link) => link.startsWith('disk/by-diskseq/'))
  return sequences.length === 0 || sequences.includes(`disk/by-diskseq/${diskSequence}`)
}

/**
 * Reads udevd's database entry of a block device (systemd, device-private.c: device_update_db); undefined while udevd
 * has not handled the device, or where no udevd runs.
 */
export async function readUdevEntry(devno: string, signal: AbortSignal): Promise<UdevEntry | undefined> {
  const text = await readFile('udev', `/run/udev/data/b${devno}`, signal)
  return text && parseUdevEntry(text.toString())
}

export function parseUdevEntry(text: string): UdevEntry {
  let initialized = 0
  const links: string[] = []
  const properties = new Map<string, string>()
  for (const line of text.split('\n')) {
    const value = line.slice(2)
    if (line.startsWith('I:')) initialized = Number(value)
    if (line.startsWith('S:')) links.push(value)
    const equals = value.indexOf('=')
    if (line.startsWith('E:') && equals > 0) properties.set(value.slice(0, equals), value.slice(equals + 1))
  }
  return { initialized, links, properties }
}
