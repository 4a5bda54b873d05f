import { invalid } from '../errors.ts'

declare const brand: unique symbol

/** A logical unit number as a storage backend hands it out, before its addressing mode is applied. */
export type BackendLun = number & { readonly [brand]: 'backend' }

/**
 * A logical unit number as Linux writes it: the L of H:C:T:L, of the SCSI host's `scan` attribute and of by-path names.
 * It is the 8-byte LUN with its 16-bit words swapped (scsilun_to_int in drivers/scsi/scsi_common.c).
 *
 * The two kinds of LUN are distinct types, so that an addressing mode cannot be applied twice.
 */
export type KernelLun = number & { readonly [brand]: 'kernel' }

/** How a backend's LUN becomes the kernel's; `transparent` is another word for `SAM`. */
export type AddressingMode = 'SAM' | 'transparent' | 'SAM2' | 'SAM3-flat'

const addressingModes: readonly unknown[] = ['SAM', 'transparent', 'SAM2', 'SAM3-flat'] satisfies AddressingMode[]

/** The address method 01b, flat space, in the top bits of a LUN's first word (SAM, flat space addressing method); 14 bits are left. */
const flatSpace = 0x4000

/** @throws BrickError INVALID_ARGUMENT unless the value is a whole number, or its decimal text, of 0 to 2^53 - 1 */
export function parseLun(value: unknown, field = 'target_lun'): BackendLun {
  const lun = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (!isLun(lun)) throw invalid(field, 'a LUN', value)
  return lun as BackendLun
}

/** An absent mode is `SAM`. @throws BrickError INVALID_ARGUMENT for a mode of another name */
export function parseAddressingMode(value: unknown, field = 'addressing_mode'): AddressingMode {
  const mode = value ?? 'SAM'
  if (!addressingModes.includes(mode)) throw invalid(field, 'SAM, transparent, SAM2 or SAM3-flat', value)
  return mode as AddressingMode
}

/** @throws BrickError INVALID_ARGUMENT when the mode asks for flat addressing and the LUN does not fit into 14 bits */
export function toKernelLun(lun: BackendLun, mode: AddressingMode): KernelLun {
  const flat = mode === 'SAM3-flat' || (mode === 'SAM2' && lun > 255)
  if (!flat) return kernelLun(lun)
  if (lun >= flatSpace) throw invalid('target_lun', `less than ${flatSpace} with addressing mode ${mode}`, lun)
  return kernelLun(flatSpace + lun)
}

/** A LUN that the kernel itself reports. @throws BrickError INVALID_ARGUMENT when it is not a whole number below 2^53 */
export function kernelLun(lun: number): KernelLun {
  if (!isLun(lun)) throw invalid('lun', 'a LUN', lun)
  return lun as KernelLun
}

/** The 8 bytes of the LUN in REPORT LUNS and in command headers. */
export function encodeLun(lun: KernelLun): Buffer {
  const wire = Buffer.alloc(8)
  for (let at = 0, rest: number = lun; rest > 0; at += 2, rest = Math.floor(rest / 0x10000)) {
    wire.writeUInt16BE(rest % 0x10000, at)
  }
  return wire
}

/** The LUN in the 8 bytes at `offset`; `undefined` for one of 2^53 or more, which no connection property can name. */
export function decodeLun(wire: Buffer, offset = 0): KernelLun | undefined {
  let lun = 0
  for (let at = offset + 6; at >= offset; at -= 2) lun = lun * 0x10000 + wire.readUInt16BE(at)
  return isLun(lun) ? (lun as KernelLun) : undefined
}

/** What follows `lun-` in /dev/disk/by-path (format_lun_number in systemd's udev-builtin-path_id.c). */
export function byPathLun(lun: KernelLun): string {
  return lun < 256 ? String(lun) : `0x${encodeLun(lun).toString('hex', 0, 4)}00000000`
}

function isLun(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
