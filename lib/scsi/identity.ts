import { Lazy, oncePer } from '../lazy.ts'
import { bodyOf, descriptorsOf, endOf, isBareNaa, isOfUnit, parsePage80, parsePage83 } from './designators.ts'
import type { Designator } from './designators.ts'
import { kernelName, multipathName, udevName, udevSerialName } from './names.ts'
import { foldBlanks, trim } from './text.ts'

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
  readonly page83?: Buffer | undefined
  readonly page80?: Buffer | undefined
  readonly vendor: string
  readonly model: string
}

/** @throws BrickError IDENTITY_MISMATCH as the parsers of the pages do; a page that is absent is no error */
export function identify(pages: IdentityPages): ScsiIdentity {
  return new PageIdentity(pages)
}

/** The pages are checked at once; what they come to is made when it is asked for. */
class PageIdentity extends Lazy implements ScsiIdentity {
  readonly #pages: CheckedPages
  #names: ScsiIdentity['names'] | undefined

  constructor(pages: IdentityPages) {
    super()
    this.#pages = new CheckedPages(pages)
  }

  get vendor(): string {
    return trim(this.#pages.given.vendor)
  }

  get model(): string {
    return trim(this.#pages.given.model)
  }

  get designators(): readonly Designator[] {
    return this.#pages.designators
  }

  get serial(): string | null {
    const { page80 } = this.#pages
    return page80 ? parsePage80(page80) : null
  }

  get names(): ScsiIdentity['names'] {
    return (this.#names ??= new PageNames(this.#pages))
  }

  get key(): string | null {
    return this.names.multipath ?? this.names.udev ?? this.names.kernel
  }
}

class CheckedPages {
  readonly given: IdentityPages
  readonly page83: Buffer | undefined
  readonly page80: Buffer | undefined
  /** Where the descriptors of page 0x83 begin. */
  readonly starts: readonly number[]
  #designators: readonly Designator[] | undefined

  constructor(pages: IdentityPages) {
    this.given = pages
    this.page83 = pages.page83
    this.page80 = pages.page80
    this.starts = this.page83 ? descriptorsOf(this.page83) : []
    if (this.page80) endOf(this.page80, 0x80)
  }

  get designators(): readonly Designator[] {
    return (this.#designators ??= this.page83 ? parsePage83(this.page83) : [])
  }

  /** Of the unit itself. Neither the kernel nor multipathd knows the SCSI-2 form. */
  get ofUnit(): Designator[] {
    return this.page83 && !isBareNaa(this.page83) ? this.designators.filter(isOfUnit) : []
  }

  /** As INQUIRY has them. */
  get product(): string {
    return this.given.vendor.padEnd(8).slice(0, 8) + this.given.model.padEnd(16).slice(0, 16)
  }
}

class PageNames extends Lazy {
  readonly #pages: CheckedPages
  #kernel: string | null | undefined
  #udev: string | null | undefined
  #multipath: string | null | undefined

  constructor(pages: CheckedPages) {
    super()
    this.#pages = pages
  }

  get kernel(): string | null {
    return this.#kernel === undefined ? (this.#kernel = kernelName(this.#pages.ofUnit)) : this.#kernel
  }

  get udev(): string | null {
    return this.#udev === undefined ? (this.#udev = udevNameOf(this.#pages)) : this.#udev
  }

  get multipath(): string | null {
    return this.#multipath === undefined ? (this.#multipath = multipathName(this.#pages.ofUnit)) : this.#multipath
  }
}

function udevNameOf(pages: CheckedPages): string | null {
  const { page83, page80, starts } = pages
  const name = page83 ? udevName(page83, starts, () => pages.product) : null
  return name ?? (page80 ? udevSerialName(bodyOf(page80, 0x80), pages.product) : null)
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
 * What the kernel noted of a unit beside what the unit says now. Where one of them says nothing, or has a world-wide name
 * and the other none, it is neither proven to be the same nor to be another.
 */
export function compareUnits(noted: ScsiIdentity | null, live: ScsiIdentity): 'same' | 'another' | 'unknown' {
  if (noted === null) return 'unknown'
  if (sameUnit(noted, live)) return 'same'
  if (noted.key === null || live.key === null) return 'unknown'
  return hasWorldWideName(noted) === hasWorldWideName(live) ? 'another' : 'unknown'
}

/**
 * Whether the unit has the given name, in any spelling: NAA and EUI-64 as `naa.…`, `eui.…`, `0x…`, `wwn-0x…`, bare
 * hexadecimal, or with udev's type digit (`3600…`), in any case; UUIDs; `t10.…` and iqn names; and the names that udev
 * and multipathd make of T10, vendor and serial texts, which are compared exactly but for blanks. Each may have udev's
 * prefix `scsi-`.
 */
export function matchesWwn(identity: ScsiIdentity, wwn: string): boolean {
  return isCalled(wwn)(identity)
}

/** The same of many units: what the name stands for is found out once. */
export function isCalled(wwn: string): (identity: ScsiIdentity) => boolean {
  const names = spellings(trim(wwn).replace(/^scsi-/i, '')).filter((name) => !isBlank(name))
  return (identity) => {
    // Mostly it is the very name that an attach has said; to find out all others takes longer than the rest of a search.
    if (wwn === identity.names.udev) return names.length > 0
    const known = textsOf(identity)
    return names.some((name) => known.includes(name))
  }
}

/** The canonical texts of all names of a unit. Kept, as many volumes are looked for among the disks of one look. */
const textsOf = oncePer(({ names: { kernel, udev, multipath }, designators }: ScsiIdentity): readonly string[] => {
  const texts = designators.filter(isOfUnit).map(({ value }) => value)
  for (const name of [udev, multipath]) if (name !== null) texts.push(...spellings(name))
  if (kernel !== null) texts.push(trim(kernel))
  return texts
})

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

/** Whether it has a name by which it can be told from all other units, and which decides alone. */
export function hasWorldWideName(identity: ScsiIdentity): boolean {
  return worldWideNames(identity).length > 0
}

/** The names that decide alone. Kept, as a detach asks for them more than once. */
const worldWideNames = oncePer(({ designators }: ScsiIdentity): readonly string[] =>
  designators
    .filter(isOfUnit)
    .map(({ value }) => value)
    .filter((value) => wellFormed.test(value) && !isBlank(value)),
)

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
