import { invalid } from '../errors.ts'

/** Every discovery controller's subsystem, whatever its target (NVM Express Base Specification 2.0, 4.5.1). */
export const discoveryNqn = 'nqn.2014-08.org.nvmexpress.discovery'

/** NVM Express Base Specification 2.0, 4.5, in bytes of UTF-8. */
const longestNqn = 223

/**
 * The NVMe qualified name of a subsystem or a host, unchanged: each letter's case counts. Backends do not keep to the
 * date and domain that the specification wants, so that whatever is one word is taken, but for a comma, which ends an
 * option of the kernel's.
 *
 * @throws BrickError INVALID_ARGUMENT
 */
export function nvmeName(name: unknown, field: string): string {
  const valid = typeof name === 'string' && /^nqn\.[^\s\p{C},]+$/u.test(name)
  if (!valid || Buffer.byteLength(name) > longestNqn) {
    throw invalid(field, 'an NVMe name as in nqn.2014-08.org.example:subsystem-1', name)
  }
  return name
}

/** A UUID in its canonical text, from one in any case, with its hyphens or without. @throws BrickError INVALID_ARGUMENT */
export function uuidText(value: unknown, field: string): string {
  return hyphenated(hex(value, field, 'a UUID'))
}

/** A namespace's globally unique identifier as 32 digits, from what may look like a UUID. @throws BrickError INVALID_ARGUMENT */
export function nguidText(value: unknown, field: string): string {
  return hex(value, field, 'an NGUID of 32 hexadecimal digits')
}

/** A namespace's extended unique identifier as 16 digits, with hyphens or without. @throws BrickError INVALID_ARGUMENT */
export function euiText(value: unknown, field: string): string {
  return hex(value, field, 'an EUI-64 of 16 hexadecimal digits', 16)
}

/** 32 hexadecimal digits as a UUID is written. */
export function hyphenated(digits: string): string {
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function hex(value: unknown, field: string, expected: string, length = 32): string {
  const digits = typeof value === 'string' ? value.replaceAll('-', '').toLowerCase() : ''
  // All zeros stand for none.
  if (digits.length !== length || !/^[\da-f]+$/.test(digits) || /^0+$/.test(digits))
    throw invalid(field, expected, value)
  return digits
}
