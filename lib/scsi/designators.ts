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
  const body = pageBody(page, 0x83)
  // SCSI-2 Symmetrix: a bare NAA where descriptors should be. The third byte of a descriptor is reserved and zero.
  if (isBareNaa(body)) {
    return [{ association: 'unit', type: 'naa', codeSet: 'binary', value: hexName('naa', body), bytes: body }]
  }

  const designators: Designator[] = []
  for (let at = 0; at < body.length;) {
    const start = at + 4
    const end = start + (body[at + 3] ?? 0)
    if (end > body.length) {
      if (body.subarray(at).every((byte) => byte === 0)) break // padding after the last descriptor
      throw malformed(0x83, `the designator at ${start} reaches over the end`, page)
    }
    if (end > start) designators.push(new PageDesignator(body, start, end))
    at = end
  }
  return designators
}

/**
 * The unit serial number of VPD page 0x80 without its padding, or null when it is blank.
 *
 * @throws BrickError IDENTITY_MISMATCH when the buffer is another page or is cut off
 */
export function parsePage80(page: Buffer): string | null {
  return trim(latin1(pageBody(page, 0x80))) || null
}

/** Whether it names the unit, and not the way to it. */
export function isOfUnit({ association }: Designator): boolean {
  return association === 'unit'
}

/** The SCSI-2 form of page 0x83, as `parsePage83` says. */
export function isBareNaa(body: Buffer): boolean {
  return (body[2] ?? 0) !== 0
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
  readonly #body: Buffer
  readonly #start: number
  readonly #end: number

  constructor(body: Buffer, start: number, end: number) {
    super()
    this.#body = body
    this.#start = start
    this.#end = end
  }

  get association(): Association {
    return associations[(this.#second >> 4) & 3] ?? 'reserved'
  }

  get type(): DesignatorType {
    return designatorTypes[this.#second & 0xf] ?? 'reserved'
  }

  get codeSet(): CodeSet {
    return codeSets[(this.#body[this.#start - 4] ?? 0) & 0xf] ?? 'reserved'
  }

  get value(): string {
    return canonical(this.type, this.codeSet, this.bytes)
  }

  get bytes(): Buffer {
    return this.#body.subarray(this.#start, this.#end)
  }

  get #second(): number {
    return this.#body[this.#start - 3] ?? 0
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
export function pageBody(page: Buffer, code: number): Buffer {
  if (page.length < 4) throw malformed(code, 'the header is cut off', page)
  if (page[1] !== code) throw malformed(code, 'it is another page', page)
  const end = 4 + page.readUInt16BE(2)
  if (end > page.length) throw malformed(code, `${page.length} of ${end} bytes`, page)
  return page.subarray(4, end)
}

function malformed(code: number, what: string, page: Buffer): BrickError {
  return new BrickError('IDENTITY_MISMATCH', `VPD page 0x${code.toString(16)} is malformed: ${what}`, {
    details: { page: page.toString('hex') },
  })
}
