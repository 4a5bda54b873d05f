import { bodyOf, headerSize, hexName, isBareNaa, naaFormat } from './designators.ts'
import type { Designator, DesignatorType } from './designators.ts'
import { beforeNul, foldBlanks, latin1, trim, trimEnd } from './text.ts'

/** `wwid` in sysfs: the last of the highest priority wins, with the kernel's odd rule on lengths. NAA 2 has no rank. */
export function kernelName(designators: readonly Designator[]): string | null {
  let best: { name: string | null; rank: number; size: number } = { name: null, rank: 0, size: 0 }
  for (const { type, bytes } of designators) {
    const size = bytes.length
    const rank = kernelRank(type, bytes)
    if (rank === 0 || rank < best.rank) continue
    if ((type === 't10' || type === 'name') && size < best.size) continue
    let name = best.name
    if (type === 't10') name = `t10.${kernelEscape(latin1(bytes))}`
    else if (type === 'name') name = latin1(bytes)
    else if (type === 'eui' || size === 8 || size === 16) name = hexName(type, bytes)
    best = { name, rank, size }
  }
  return best.name === null ? null : trimEnd(best.name)
}

function kernelRank(type: DesignatorType, bytes: Buffer): number {
  if (bytes.length === 0) return 0
  if (type === 'name') return 9
  if (type === 'naa') return { 6: 8, 5: 5, 4: 4, 3: 1 }[naaFormat(bytes)] ?? 0
  if (type === 'eui') return { 16: 7, 12: 6, 8: 3 }[bytes.length] ?? 0
  return type === 't10' ? 1 : 0
}

/** `%*pE` of printk: control characters become escapes, blanks stay. */
function kernelEscape(text: string): string {
  const short: Partial<Record<string, string>> = {
    '\0': '0',
    '\x07': 'a',
    '\t': 't',
    '\n': 'n',
    '\v': 'v',
    '\f': 'f',
    '\r': 'r',
    '\x1b': 'e',
  }
  return text.replace(/[\0-\x1f\x7f-\x9f]/g, (char) => {
    return `\\${short[char] ?? char.charCodeAt(0).toString(8).padStart(3, '0')}`
  })
}

/** multipathd: the first of the highest priority wins; a designator of a wrong length is passed over. */
export function multipathName(designators: readonly Designator[]): string | null {
  let best: { designator?: Designator; rank: number } = { rank: 0 }
  for (const designator of designators) {
    const rank = multipathRank(designator)
    if (rank > best.rank) best = { designator, rank }
  }
  if (!best.designator) return null
  const { type, bytes } = best.designator
  return multipathText(type, bytes).slice(0, multipathNameLength)
}

/** WWID_SIZE without the terminator. */
const multipathNameLength = 127

function multipathRank({ type, bytes }: Designator): number {
  const size = bytes.length
  if (type === 'naa') {
    const format = naaFormat(bytes)
    return size === (format === 6 ? 16 : 8) ? ({ 6: 8, 5: 7, 2: 6, 3: 1 }[format] ?? 0) : 0
  }
  if (type === 'eui') return size === 8 || size === 12 || size === 16 ? 4 : 0
  if (type === 'name') return /^(?:eui|naa|iqn)\./.test(latin1(bytes)) ? 3 : 0
  // A unit that is not configured answers with blanks; multipathd would name all of them alike.
  return type === 't10' && size >= 8 && trim(latin1(bytes)) !== '' ? 2 : 0
}

function multipathText(type: DesignatorType, bytes: Buffer): string {
  if (type === 'naa') return `3${bytes.toString('hex')}`
  if (type === 'eui') return `2${bytes.toString('hex')}`
  const text = latin1(bytes)
  if (type === 't10') return beforeNul(`1${text.replace(/ +$/, '').replace(/ +/g, '_')}`)
  const name = beforeNul(text.slice(4))
  if (text.startsWith('iqn.')) return `8${name}`
  return `${text.startsWith('naa.') ? 3 : 2}${name.toLowerCase()}`
}

/** MAX_SERIAL_LEN of scsi_id, terminator included: it passes over what does not fit. */
const udevNameSize = 256

/**
 * ID_SERIAL, from page 0x83: scsi_id takes the first designator of the best kind. Straight from the page, as inventories
 * have it for thousands of units.
 *
 * @param starts where its descriptors begin
 * @param product makes vendor and model, padded as INQUIRY has them
 */
export function udevName(page: Buffer, starts: readonly number[], product: () => string): string | null {
  if (isBareNaa(page)) return fitting(`3${bodyOf(page, 0x83).toString('hex')}`)
  // Of two of one kind the first is better.
  const ranks = starts.map((start, number) => udevRank(page, start) * starts.length + number)
  for (let rank = least(ranks, -1); rank !== Infinity; rank = least(ranks, rank)) {
    const start = starts[ranks.indexOf(rank)] ?? 0
    const [codeSet, type, length] = [(page[start] ?? 0) & 0xf, (page[start + 1] ?? 0) & 0xf, page[start + 3] ?? 0]
    const text = page.toString(codeSet === asciiSet ? 'latin1' : 'hex', start + headerSize, start + headerSize + length)
    const name = fitting(`${type}${type === vendorType ? product() : ''}${text}`)
    // Blanks again, see multipathRank.
    if (name !== null && trim(text) !== '') return name
  }
  return null
}

/** Types of designators and code sets, as the page has them; scsi_id's name begins with the type. */
const [vendorType, t10Type, euiType, naaType] = [0, 1, 2, 3]
const [binarySet, asciiSet] = [1, 2]

/** The least of these numbers that is above another one, or infinity. */
function least(numbers: readonly number[], above: number): number {
  let found = Infinity
  for (const number of numbers) if (number > above && number < found) found = number
  return found
}

/** By type, NAA format and code set; the least is the best, and infinity is none. */
function udevRank(page: Buffer, start: number): number {
  const codeSet = (page[start] ?? 0) & 0xf
  if (codeSet !== binarySet && codeSet !== asciiSet) return Infinity
  const format = (page[start + headerSize] ?? 0) >> 4
  switch ((page[start + 1] ?? 0) & 0xf) {
    case naaType:
      return (format === 6 ? 0 : format === 5 ? 2 : 4) + codeSet
    case euiType:
      return 6 + codeSet
    case t10Type:
      return 8 + codeSet
    case vendorType:
      return 10 + codeSet
    default:
      return Infinity
  }
}

function fitting(name: string): string | null {
  return name.length < udevNameSize ? udevText(name) : null
}

/** ID_SERIAL of a unit that page 0x83 does not name, from page 0x80. */
export function udevSerialName(serial: Buffer, product: string): string | null {
  const name = `S${product}${latin1(serial)}`
  return name.length <= udevNameSize && trim(latin1(serial)) !== '' ? udevText(name) : null
}

/** util_replace_whitespace and util_replace_chars of udev: a C string without blanks and odd characters. */
function udevText(text: string): string {
  if (/^[\w#+\-.:=@]*$/.test(text)) return text
  return foldBlanks(beforeNul(text)).replace(/\\x|[^\w#+\-.:=@]/g, (char) => (char === '\\x' ? char : '_'))
}
