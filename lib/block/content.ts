import { failedWith, SystemError } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { deviceFacts, readDevice } from './disk.ts'

/**
 * What is on a device, which are four answers: nothing at all; something known, by the name that blkid has for it;
 * something that is not known; and that it could not be read, which says nothing of what is there.
 */
export type DeviceContent =
  | { readonly kind: 'blank' }
  | { readonly kind: 'formatted'; readonly format: string }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unreadable'; readonly reason: string }

const mebibyte = 1024 * 1024
/** Bytes at a device's beginning and at its end that have to be zeros: whatever marks a format has its place there. */
const head = 2 * mebibyte
const tail = mebibyte

interface Signature {
  readonly format: string
  readonly offset: number
  readonly bytes: Buffer
}

/** At a device's beginning, in the order in which they decide. */
const signatures: readonly Signature[] = [
  signature('crypto_LUKS', 0, 'LUKS\xba\xbe'),
  signature('linux_raid_member', 0, '\xfc\x4e\x2b\xa9'),
  signature('linux_raid_member', 4096, '\xfc\x4e\x2b\xa9'),
  signature('LVM2_member', 512, 'LABELONE'),
  signature('xfs', 0, 'XFSB'),
  signature('ext', 1080, '\x53\xef'),
  signature('btrfs', 65_600, '_BHRfS_M'),
  signature('swap', 4086, 'SWAPSPACE2'),
  signature('bcache', 4120, '\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81'),
  signature('gpt', 512, 'EFI PART'),
  signature('gpt', 4096, 'EFI PART'),
  signature('dos', 510, '\x55\xaa'),
]

function signature(format: string, offset: number, text: string): Signature {
  return { format, offset, bytes: Buffer.from(text, 'latin1') }
}

/**
 * What is on a block device, by its first 2 MiB and its last one. A device is blank only when all of them could be read,
 * past every cache, and are zeros.
 *
 * @throws BrickError PERMISSION_DENIED; SYSTEM when there is no such device
 */
export async function deviceContent(path: string, options: CallOptions = {}): Promise<DeviceContent> {
  using operation = new Operation('deviceContent', options)
  return await operation.step('read', (signal) => contentOf(path, signal))
}

export async function contentOf(path: string, signal: AbortSignal): Promise<DeviceContent> {
  const { size } = await deviceFacts(path, signal)
  try {
    const first = await readDevice(path, 0, Math.min(head, size), signal)
    const known = recognize(first)
    if (known !== undefined) return { kind: 'formatted', format: known }
    // From a multiple of any block on.
    const last = await readDevice(path, Math.floor(Math.max(0, size - tail) / 4096) * 4096, tail + 4096, signal)
    return isZero(first) && isZero(last) ? { kind: 'blank' } : { kind: 'unknown' }
  } catch (error) {
    if (failedWith(error, 'EACCES', 'EPERM') || !(error instanceof SystemError)) throw error
    return { kind: 'unreadable', reason: error.code }
  }
}

/** The format that these first bytes of a device are a mark of; undefined when it is none that is known. */
export function recognize(first: Buffer): string | undefined {
  return signatures.find(({ offset, bytes }) => first.subarray(offset, offset + bytes.length).equals(bytes))?.format
}

/** @throws BrickError IDENTITY_MISMATCH unless the device is proven to have nothing on it */
export async function requireBlank(path: string, signal: AbortSignal): Promise<void> {
  const content = await contentOf(path, signal)
  if (content.kind === 'blank') return
  const found = content.kind === 'formatted' ? `has ${content.format} on it` : `is ${meaning[content.kind]}`
  throw new BrickError('IDENTITY_MISMATCH', `${path} ${found}: it is not blank, and was left alone`, {
    details: { device: path, content },
  })
}

const meaning = { unknown: 'written with something that is not known', unreadable: 'not readable' }

function isZero(bytes: Buffer): boolean {
  return bytes.length > 0 && bytes.equals(Buffer.alloc(bytes.length))
}
