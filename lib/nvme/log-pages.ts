import { BrickError } from '../errors.ts'

// Log pages: NVM Express Base Specification 2.0, 5.16.1. The kernel's names and offsets are in include/linux/nvme.h.
// Every parser throws BrickError SYSTEM for a malformed page.

/** Log identifiers (figure 202). */
export const logPages = { ana: 0x0c, discovery: 0x70 } as const

/** Of the ANA log's specific field: leave the namespaces out. */
export const groupsOnly = 0x01

export const discoveryHeaderSize = 1024
export const discoveryRecordSize = 1024

/** More than any honest target has: sixteen megabytes of records. */
const recordLimit = 16_384

/** The beginning of the discovery log (figure 264). */
export interface DiscoveryHeader {
  /** GENCTR: another one means another log. */
  readonly generation: bigint
  readonly records: number
}

/** A way to a subsystem, as a discovery controller tells it (figure 265). Plain JSON. */
export interface DiscoveredSubsystem {
  nqn: string
  /** 'referral' is another discovery controller to ask, 'discovery' the one that was asked. */
  subtype: 'nvm' | 'referral' | 'discovery'
  /** Null for what NVMe 2.0 does not know. */
  transport: 'tcp' | 'rdma' | 'fc' | 'loop' | null
  addressFamily: 'ipv4' | 'ipv6' | 'infiniband' | 'fc' | 'loop' | null
  traddr: string
  /** A port as text; '' or 'none' where the transport has none. */
  trsvcid: string
  /** The subsystem's own number of this port. */
  portId: number
  /** The only controller there; null when each connection gets one of its own. */
  controllerId: number | null
  adminQueueSize: number
  /** Whether a secure channel has to be used; null when it is not said. */
  secureChannel: 'required' | 'not required' | null
  /** Whether the port speaks TLS 1.3; only over TCP. */
  tls: boolean
}

/** How well a controller reaches the namespaces of one group (figure 219). */
export interface AnaGroup {
  readonly group: number
  readonly state: AnaState
  /** Empty also where they were not asked for. */
  readonly namespaces: readonly number[]
}

/** By the kernel's names in `ana_state`. */
export type AnaState = 'optimized' | 'non-optimized' | 'inaccessible' | 'persistent-loss' | 'change'

export function parseDiscoveryHeader(page: Buffer): DiscoveryHeader {
  if (page.length < discoveryHeaderSize) throw malformed('discovery', `${page.length} bytes`)
  const format = page.readUInt16LE(16)
  if (format !== 0) throw malformed('discovery', `records of format ${format}`)
  const records = page.readBigUInt64LE(8)
  if (records > recordLimit) throw malformed('discovery', `${records} records`)
  return { generation: page.readBigUInt64LE(0), records: Number(records) }
}

const transports = new Map<number, DiscoveredSubsystem['transport']>([
  [1, 'rdma'],
  [2, 'fc'],
  [3, 'tcp'],
  [254, 'loop'],
])
const addressFamilies = new Map<number, DiscoveredSubsystem['addressFamily']>([
  [1, 'ipv4'],
  [2, 'ipv6'],
  [3, 'infiniband'],
  [4, 'fc'],
  [254, 'loop'],
])
const subtypes = new Map<number, DiscoveredSubsystem['subtype']>([
  [1, 'referral'],
  [2, 'nvm'],
  [3, 'discovery'],
])
const anyController = 0xffff
/** In the transport specific field of a record over TCP (NVMe/TCP Transport Specification 1.0, figure 8). */
const tls13 = 2

/** The records in a part of the page that begins and ends with one. */
export function parseDiscoveryRecords(part: Buffer): DiscoveredSubsystem[] {
  if (part.length % discoveryRecordSize !== 0) throw malformed('discovery', `records of ${part.length} bytes in all`)
  const count = part.length / discoveryRecordSize
  return Array.from({ length: count }, (_, index) => {
    return parseDiscoveryRecord(part.subarray(index * discoveryRecordSize, (index + 1) * discoveryRecordSize))
  })
}

function parseDiscoveryRecord(record: Buffer): DiscoveredSubsystem {
  const subtype = subtypes.get(record.readUInt8(2))
  if (subtype === undefined) throw malformed('discovery', `a record of subtype ${record.readUInt8(2)}`)
  const transport = transports.get(record.readUInt8(0)) ?? null
  const controllerId = record.readUInt16LE(6)
  const requirement = record.readUInt8(3) & 0x03
  return {
    nqn: text(record, 256, 512),
    subtype,
    transport,
    addressFamily: addressFamilies.get(record.readUInt8(1)) ?? null,
    traddr: text(record, 512, 768),
    trsvcid: text(record, 32, 64),
    portId: record.readUInt16LE(4),
    controllerId: controllerId === anyController ? null : controllerId,
    adminQueueSize: record.readUInt16LE(8),
    secureChannel: requirement === 1 ? 'required' : requirement === 2 ? 'not required' : null,
    tls: transport === 'tcp' && record.readUInt8(768) === tls13,
  }
}

const anaHeaderSize = 16
const anaGroupSize = 32
const anaStates = new Map<number, AnaState>([
  [0x1, 'optimized'],
  [0x2, 'non-optimized'],
  [0x3, 'inaccessible'],
  [0x4, 'persistent-loss'],
  [0xf, 'change'],
])

/** Bytes of an ANA log with this many groups and without their namespaces. */
export function anaLogSize(groups: number): number {
  return anaHeaderSize + groups * anaGroupSize
}

/** The ANA log (figures 218 and 219), with namespaces or without. */
export function parseAnaLog(page: Buffer): AnaGroup[] {
  if (page.length < anaHeaderSize) throw malformed('ANA', `${page.length} bytes`)
  const groups: AnaGroup[] = []
  let at = anaHeaderSize
  for (let left = page.readUInt16LE(8); left > 0; left--) {
    if (at + anaGroupSize > page.length) throw malformed('ANA', 'a group beyond the end')
    const count = page.readUInt32LE(at + 4)
    const end = at + anaGroupSize + count * 4
    if (end > page.length) throw malformed('ANA', `${count} namespaces beyond the end`)
    const state = anaStates.get(page.readUInt8(at + 16) & 0x0f)
    if (state === undefined) throw malformed('ANA', `state ${page.readUInt8(at + 16) & 0x0f}`)
    const first = at + anaGroupSize
    const namespaces = Array.from({ length: count }, (_, index) => page.readUInt32LE(first + index * 4))
    groups.push({ group: page.readUInt32LE(at), state, namespaces })
    at = end
  }
  return groups
}

/** UTF-8 that ends at a NUL or is padded with blanks. */
function text(record: Buffer, start: number, end: number): string {
  const value = record.toString('utf8', start, end).replace(/\0.*$/s, '').trim()
  if (/\p{Cc}|\uFFFD/u.test(value)) throw malformed('discovery', `the text ${JSON.stringify(value)}`)
  return value
}

function malformed(log: string, what: string): BrickError {
  return new BrickError('SYSTEM', `Get Log Page: the ${log} log has ${what}`)
}
