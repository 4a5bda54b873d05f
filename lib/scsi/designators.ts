import { BrickError } from '../errors.ts'
import { Lazy } from '../lazy.ts'
import { latin1, trim, trimEnd } from './text.ts'

/** What a designator names: the logical unit, the target port it was asked through, or the whole target device. */
export type Association = (typeof associations)[number]
export type CodeSet = (typeof codeSets)[number]
export type DesignatorType = (typeof designatorTypes)[number]

/** One designation descriptor of VPD page 0x83 (SPC, Device Identification VPD page). */
export interface Designator {
  readonly association: Association
  readonly type: DesignatorType
  readonly codeSet: CodeSet
  /**
   * Canonical text, prefixed with its kind: equal texts are equal designators. A SCSI name string that spells an NAA
   * or EUI-64 has the same text as the binary designator: `naa.6001405…`, `eui.…`, `uuid.…`, `iqn.…`, `t10.…`.
   */
  readonly value: string
  readonly bytes: Buffer
}

const associations = ['unit', 'port', 'target', 'reserved'] as const
const codeSets = ['reserved', 'binary', 'ascii', 'utf8'] as const
const designatorTypes = [
  'vendor',
  't10',
  'eui',
  'naa',
  'relative-port',
  'port-group',
  'unit-group',
  'md5',
  'name',
  'protocol-port',
  'uuid',
  'reserved',
] as const

/**
 * Every designator of VPD page 0x83, those of ports and targets too, but for empty ones.
 *
 * @throws BrickError IDENTITY_MISMATCH when the buffer is another page, is cut off, or a length in it lies: such a device
 * does not say what it is
 */
export function parsePage83(page: Buffer): Designator[] {
  if (!isBareNaa(page)) return descriptorsOf(page).map((start) => new PageDesignator(page, start))
  const bytes = bodyOf(page, 0x83)
  return [{ association: 'unit', type: 'naa', codeSet: 'binary', value: hexName('naa', bytes), bytes }]
}

/**
 * Where in page 0x83 the descriptors begin that are not empty; none in the SCSI-2 form.
 *
 * @throws BrickError as `parsePage83`
 */
export function descriptorsOf(page: Buffer): number[] {
  const limit = endOf(page, 0x83)
  const starts: number[] = []
  for (let at = isBareNaa(page) ? limit : headerSize; at < limit;) {
    const end = at + headerSize + (page[at + 3] ?? 0)
    if (end > limit) {
      if (page.subarray(at, limit).every((byte) => byte === 0)) break // padding after the last descriptor
      throw malformed(0x83, `the designator at ${at} reaches over the end`, page)
    }
    if (end > at + headerSize) starts.push(at)
    at = end
  }
  return starts
}

/** Of a page, and of a designation descriptor. */
export const headerSize = 4

/**
 * The unit serial number of VPD page 0x80 without its padding, or null when it is blank.
 *
 * @throws BrickError IDENTITY_MISMATCH when the buffer is another page or is cut off
 */
export function parsePage80(page: Buffer): string | null {
  return trim(latin1(bodyOf(page, 0x80))) || null
}

/** Whether it names the unit, and not the way to it. */
export function isOfUnit({ association }: Designator): boolean {
  return association === 'unit'
}

/**
 * SCSI-2 Symmetrix: page 0x83 is a bare NAA where descriptors should be. The third byte of a descriptor is reserved and
 * zero.
 */
export function isBareNaa(page: Buffer): boolean {
  return (page[headerSize + 2] ?? 0) !== 0
}

/** `naa.6001405…` and the like. */
export function hexName(kind: string, bytes: Buffer): string {
  return `${kind}.${bytes.toString('hex')}`
}

/** The Network Address Authority that assigned the name: 2, 3, 5 or 6. */
export function naaFormat(bytes: Buffer): number {
  return (bytes[0] ?? 0) >> 4
}

/** A descriptor of the page: what it says is made when it is asked for. */
class PageDesignator extends Lazy implements Designator {
  readonly #page: Buffer
  readonly #start: number

  constructor(page: Buffer, start: number) {
    super()
    this.#page = page
    this.#start = start
  }

  get association(): Association {
    return associations[(this.#byte(1) >> 4) & 3] ?? 'reserved'
  }

  get type(): DesignatorType {
    return designatorTypes[this.#byte(1) & 0xf] ?? 'reserved'
  }

  get codeSet(): CodeSet {
    return codeSets[this.#byte(0) & 0xf] ?? 'reserved'
  }

  get value(): string {
    return canonical(this.type, this.codeSet, this.bytes)
  }

  get bytes(): Buffer {
    const start = this.#start + headerSize
    return this.#page.subarray(start, start + this.#byte(3))
  }

  #byte(at: number): number {
    return this.#page[this.#start + at] ?? 0
  }
}

function canonical(type: DesignatorType, codeSet: CodeSet, bytes: Buffer): string {
  switch (type) {
    case 'naa':
    case 'eui':
      return codeSet === 'ascii' ? `${type}.${textOf(bytes).toLowerCase()}` : hexName(type, bytes)
    case 't10':
      return `t10.${textOf(bytes)}`
    case 'name':
      return schemeName(textOf(bytes))
    case 'uuid':
      return uuidName(bytes)
    default:
      return hexName(type, bytes)
  }
}

function textOf(bytes: Buffer): string {
  return trimEnd(latin1(bytes))
}

/** These three are case-insensitive by definition; SPC allows no other. */
function schemeName(text: string): string {
  return /^(?:naa|eui|iqn)\./i.test(text) ? text.toLowerCase() : `name.${text}`
}

/** Two bytes precede the UUID (SPC, UUID designator format); the high half of the first is its type, always 1. */
function uuidName(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  const [, ...groups] = /^1...(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec(hex) ?? []
  return `uuid.${groups.length > 0 ? groups.join('-') : hex}`
}

/** The page without its header. @throws BrickError IDENTITY_MISMATCH */
export function bodyOf(page: Buffer, code: number): Buffer {
  return page.subarray(headerSize, endOf(page, code))
}

/** Where the page ends in the buffer, which may be longer. @throws BrickError IDENTITY_MISMATCH */
export function endOf(page: Buffer, code: number): number {
  if (page.length < headerSize) throw malformed(code, 'the header is cut off', page)
  if (page[1] !== code) throw malformed(code, 'it is another page', page)
  const end = headerSize + page.readUInt16BE(2)
  if (end > page.length) throw malformed(code, `${page.length} of ${end} bytes`, page)
  return end
}

function malformed(code: number, what: string, page: Buffer): BrickError {
  return new BrickError('IDENTITY_MISMATCH', `VPD page 0x${code.toString(16)} is malformed: ${what}`, {
    details: { page: page.toString('hex') },
  })
}
