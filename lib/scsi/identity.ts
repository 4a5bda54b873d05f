import { BrickError } from '../errors.ts'

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

/** What a logical unit says of itself. */
export interface ScsiIdentity {
  readonly vendor: string
  readonly model: string
  readonly designators: readonly Designator[]
  /** The unit serial number of VPD page 0x80, without its padding; null when blank or absent. */
  readonly serial: string | null
  /** What others call this unit; null where their rule finds nothing. */
  readonly names: {
    /** The sysfs attribute `wwid`, trimmed: scsi_vpd_lun_id in drivers/scsi/scsi_lib.c since Linux 5.11. */
    readonly kernel: string | null
    /** udev's ID_SERIAL, the name of /dev/disk/by-id/scsi-…: systemd's src/udev/scsi_id/scsi_serial.c. */
    readonly udev: string | null
    /** multipathd's own WWID, which it uses when udev has none: parse_vpd_pg83 in libmultipath/discovery.c. */
    readonly multipath: string | null
  }
  /** Stable text for locks and indexes. It may fold distinct units together; `sameUnit` is the proof of identity. */
  readonly key: string | null
}

/** Raw pages with their headers, and the strings of standard INQUIRY data. */
export interface IdentityPages {
  page83?: Buffer | undefined
  page80?: Buffer | undefined
  vendor: string
  model: string
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
  if (isBareNaa(body))
    return [{ association: 'unit', type: 'naa', codeSet: 'binary', value: hexName('naa', body), bytes: body }]

  const designators: Designator[] = []
  for (let at = 0; at < body.length;) {
    const [first = 0, second = 0, , length = 0] = body.subarray(at, at + 4)
    const bytes = body.subarray(at + 4, at + 4 + length)
    if (at + 4 + length > body.length) {
      if (body.subarray(at).every((byte) => byte === 0)) break // padding after the last descriptor
      throw malformed(0x83, `the designator at ${at + 4} reaches over the end`, page)
    }
    const type = designatorTypes[second & 0xf] ?? 'reserved'
    const codeSet = codeSets[first & 0xf] ?? 'reserved'
    const association = associations[(second >> 4) & 3] ?? 'reserved'
    if (length > 0) designators.push({ association, type, codeSet, value: canonical(type, codeSet, bytes), bytes })
    at += 4 + length
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

/** @throws BrickError IDENTITY_MISMATCH as the parsers of the pages do; a page that is absent is no error */
export function identify({ page83, page80, vendor, model }: IdentityPages): ScsiIdentity {
  const designators = page83 ? parsePage83(page83) : []
  const bare = page83 !== undefined && isBareNaa(pageBody(page83, 0x83))
  const ofUnit = designators.filter(isOfUnit)
  const product = vendor.padEnd(8).slice(0, 8) + model.padEnd(16).slice(0, 16)
  const names = {
    // Neither knows the SCSI-2 form.
    kernel: bare ? null : kernelName(ofUnit),
    multipath: bare ? null : multipathName(ofUnit),
    udev: udevName(ofUnit, product) ?? (page80 ? udevSerialName(pageBody(page80, 0x80), product) : null),
  }
  return {
    vendor: trim(vendor),
    model: trim(model),
    designators,
    serial: page80 ? parsePage80(page80) : null,
    names,
    key: names.multipath ?? names.udev ?? names.kernel,
  }
}

/**
 * Whether two identities are proven to be of one logical unit.
 *
 * World-wide names decide alone: well-formed NAA 2, 5 and 6, EUI-64, UUID and SCSI name strings, with association LUN.
 * T10, vendor specific names (each vendor's and model's own) and serial numbers decide when neither side has a
 * world-wide name. An array may change those texts with its firmware, and two arrays that serve one replicated volume
 * may differ in them, so they never overrule a world-wide name.
 *
 * Either way the sides must share a name, and may not contradict each other in any kind of name that both have: a
 * shared NAA 5 does not help where the NAA 6 differ. Everything else is "not proven", hence false: no names at all,
 * only blank ones, a world-wide name on one side only.
 */
export function sameUnit(a: ScsiIdentity, b: ScsiIdentity): boolean {
  const [worldWideA, worldWideB] = [worldWideNames(a), worldWideNames(b)]
  if (worldWideA.length > 0 || worldWideB.length > 0) return agree(worldWideA, worldWideB)
  return agree(vendorNames(a), vendorNames(b))
}

/**
 * Whether the unit has the given name, in any spelling: NAA and EUI-64 as `naa.…`, `eui.…`, `0x…`, `wwn-0x…`, bare
 * hexadecimal, or with udev's type digit (`3600…`), in any case; UUIDs; `t10.…` and iqn names; and the names that udev
 * and multipathd make of T10, vendor and serial texts, which are compared exactly but for blanks. Each may have udev's
 * prefix `scsi-`.
 */
export function matchesWwn(identity: ScsiIdentity, wwn: string): boolean {
  const given = trim(wwn).replace(/^scsi-/i, '')
  const { kernel, udev, multipath } = identity.names
  const known = identity.designators.filter(isOfUnit).map(({ value }) => value)
  for (const name of [udev, multipath]) if (name !== null) known.push(...spellings(name))
  if (kernel !== null) known.push(trim(kernel))
  return spellings(given).some((name) => !isBlank(name) && known.includes(name))
}

/** The canonical texts that a name can stand for. */
function spellings(name: string): string[] {
  const [, digit, hex] = /^(?:(?:wwn-)?0x)?([23])?((?:[\da-f]{8}){2,4})$/i.exec(name) ?? []
  // A type digit makes the length odd, so that '3' + 32 digits and 32 digits that start with 3 cannot be confused.
  if (hex !== undefined) {
    const kinds = digit === '3' ? ['naa'] : digit === '2' ? ['eui'] : ['naa', 'eui']
    return kinds.map((kind) => `${kind}.${hex.toLowerCase()}`)
  }
  if (/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(name)) return [`uuid.${name.toLowerCase()}`]
  if (/^(?:naa|eui|iqn|uuid)\./i.test(name)) return [name.toLowerCase()]
  return [name.replace(/^t10\./i, 't10.'), foldBlanks(name)]
}

function worldWideNames({ designators }: ScsiIdentity): string[] {
  return designators
    .filter(isOfUnit)
    .map(({ value }) => value)
    .filter((value) => wellFormed.test(value) && !isBlank(value))
}

const wellFormed =
  /^(?:naa\.(?:[25][\da-f]{15}|6[\da-f]{31})|eui\.(?:[\da-f]{8}){2,4}|uuid\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|iqn\.\d{4}-\d\d\..+)$/

/** Names that only say that nobody set one. */
function isBlank(name: string): boolean {
  return /^(?:(?:naa\.[\da-f]?|eui\.|uuid\.)(?:[0-]*|[f-]*)|(?:t10\.|1).{0,8}|vendor\.(?:00|20)*|)$/s.test(name)
}

function vendorNames({ designators, serial, vendor, model }: ScsiIdentity): string[] {
  const scope = `${vendor}/${model}/`
  const names = designators
    .filter((designator) => isOfUnit(designator) && !isBlank(designator.value))
    .flatMap(({ type, value }) => (type === 't10' ? [value] : type === 'vendor' ? [`vendor.${scope}${value}`] : []))
  return serial === null ? names : [...names, `serial.${scope}${serial}`]
}

/** Whether the lists have a kind of name in common, and share a name of every kind that they have in common. */
function agree(a: readonly string[], b: readonly string[]): boolean {
  const common = a.map(kindOf).filter((kind) => b.some((name) => kindOf(name) === kind))
  const shared = a.filter((name) => b.includes(name)).map(kindOf)
  return common.length > 0 && common.every((kind) => shared.includes(kind))
}

/** NAA formats and EUI-64 lengths are kinds of their own: a unit may have one of each. */
function kindOf(name: string): string {
  const scheme = name.slice(0, name.indexOf('.'))
  if (scheme === 'naa') return name.slice(0, 5)
  return scheme === 'eui' ? `eui.${name.length}` : scheme
}

/** `wwid` in sysfs: the last of the highest priority wins, with the kernel's odd rule on lengths. NAA 2 has no rank. */
function kernelName(designators: readonly Designator[]): string | null {
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
function multipathName(designators: readonly Designator[]): string | null {
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

/** scsi_id: the first designator in the order of this list, by type, NAA format and code set. */
const udevOrder: readonly { type: DesignatorType; digit: number; format?: number }[] = [
  { type: 'naa', digit: 3, format: 6 },
  { type: 'naa', digit: 3, format: 5 },
  { type: 'naa', digit: 3 },
  { type: 'eui', digit: 2 },
  { type: 't10', digit: 1 },
  { type: 'vendor', digit: 0 },
]

/** MAX_SERIAL_LEN of scsi_id, terminator included: it passes over what does not fit. */
const udevNameSize = 256

function udevName(designators: readonly Designator[], product: string): string | null {
  for (const { type, digit, format } of udevOrder) {
    for (const codeSet of ['binary', 'ascii']) {
      for (const designator of designators) {
        const { bytes } = designator
        if (designator.type !== type || designator.codeSet !== codeSet) continue
        if (format !== undefined && naaFormat(bytes) !== format) continue
        const text = codeSet === 'ascii' ? latin1(bytes) : bytes.toString('hex')
        const name = `${digit}${type === 'vendor' ? product : ''}${text}`
        // Blanks again, see multipathRank.
        if (name.length < udevNameSize && trim(text) !== '') return udevText(name)
      }
    }
  }
  return null
}

function udevSerialName(serial: Buffer, product: string): string | null {
  const name = `S${product}${latin1(serial)}`
  return name.length <= udevNameSize && trim(latin1(serial)) !== '' ? udevText(name) : null
}

/** util_replace_whitespace and util_replace_chars of udev: a C string without blanks and odd characters. */
function udevText(text: string): string {
  return foldBlanks(beforeNul(text)).replace(/\\x|[^\w#+\-.:=@]/g, (char) => (char === '\\x' ? char : '_'))
}

function foldBlanks(text: string): string {
  return text.replace(/^[ \t-\r]+|[ \t-\r]+$/g, '').replace(/[ \t-\r]+/g, '_')
}

function canonical(type: DesignatorType, codeSet: CodeSet, bytes: Buffer): string {
  const text = trimEnd(latin1(bytes))
  switch (type) {
    case 'naa':
    case 'eui':
      return codeSet === 'ascii' ? `${type}.${text.toLowerCase()}` : hexName(type, bytes)
    case 't10':
      return `t10.${text}`
    case 'name':
      // These three are case-insensitive by definition; SPC allows no other.
      return /^(?:naa|eui|iqn)\./i.test(text) ? text.toLowerCase() : `name.${text}`
    case 'uuid':
      return uuidName(bytes)
    default:
      return hexName(type, bytes)
  }
}

/** Two bytes precede the UUID (SPC, UUID designator format); the high half of the first is its type, always 1. */
function uuidName(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  const [, ...groups] = /^1...(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec(hex) ?? []
  return `uuid.${groups.length > 0 ? groups.join('-') : hex}`
}

function hexName(kind: string, bytes: Buffer): string {
  return `${kind}.${bytes.toString('hex')}`
}

function naaFormat(bytes: Buffer): number {
  return (bytes[0] ?? 0) >> 4
}

function isOfUnit({ association }: Designator): boolean {
  return association === 'unit'
}

function isBareNaa(body: Buffer): boolean {
  return (body[2] ?? 0) !== 0
}

/** SPC says ASCII or UTF-8; latin1 keeps devices apart that send neither. */
function latin1(bytes: Buffer): string {
  return bytes.toString('latin1')
}

/** Loops, because a regular expression takes quadratic time on the blanks of a hostile serial number. */
function trim(text: string): string {
  let start = 0
  while (isPadding(text[start])) start++
  return trimEnd(text.slice(start))
}

function trimEnd(text: string): string {
  let end = text.length
  while (isPadding(text[end - 1])) end--
  return text.slice(0, end)
}

function isPadding(char: string | undefined): boolean {
  return char === ' ' || char === '\0'
}

function beforeNul(text: string): string {
  return text.split('\0', 1)[0] ?? ''
}

function pageBody(page: Buffer, code: number): Buffer {
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
