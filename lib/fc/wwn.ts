import { invalid } from '../errors.ts'

/** A world-wide name of Fibre Channel, in whatever form: 16 hexadecimal digits, in any case, with 0x or colons or neither. */
const form = /^(?:0x)?((?:[\da-f]{2}:?){7}[\da-f]{2})$/i

/** The name as 16 lower-case digits, which is how names are compared. @throws BrickError INVALID_ARGUMENT */
export function parseWwn(value: unknown, field: string): string {
  const wwn = typeof value === 'string' ? wwnIn(value) : undefined
  if (wwn === undefined) throw invalid(field, 'a world-wide name of 16 hexadecimal digits', value)
  return wwn
}

/** The same of a text that the kernel wrote; undefined when it is none. */
export function wwnIn(text: string): string | undefined {
  return form.exec(text)?.[1]?.replaceAll(':', '').toLowerCase()
}

/** As the kernel, and after it udev, spells it. */
export function formatWwn(wwn: string): string {
  return `0x${wwn}`
}
