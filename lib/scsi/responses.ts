import { BrickError } from '../errors.ts'
import { decodeLun } from './lun.ts'
import type { KernelLun } from './lun.ts'

export interface Capacity {
  blocks: bigint
  /** Bytes of a logical block. */
  blockSize: number
  bytes: bigint
}

export interface Inquiry {
  /** Peripheral qualifier: 0 a logical unit is there, 1 none is mapped at this LUN, 3 none is possible. */
  qualifier: number
  /** Peripheral device type: 0 disk, 12 controller, 31 none. */
  type: number
  vendor: string
  product: string
  revision: string
}

/**
 * The LUNs in a REPORT LUNS response (SPC), in the target's order. LUNs that `decodeLun` cannot represent are
 * left out.
 *
 * @throws BrickError SYSTEM for a malformed response; when it was cut off, `details.needed` is its full size in bytes
 */
export function parseReportLuns(response: Buffer): KernelLun[] {
  need(response, 8, 'REPORT LUNS')
  const end = 8 + response.readUInt32BE(0)
  if (end % 8 !== 0) throw malformed('REPORT LUNS', `a list of ${end - 8} bytes`)
  need(response, end, 'REPORT LUNS')
  const luns: KernelLun[] = []
  for (let at = 8; at < end; at += 8) {
    const lun = decodeLun(response, at)
    if (lun !== undefined) luns.push(lun)
  }
  return luns
}

/** The size in a READ CAPACITY (16) response (SBC). @throws BrickError SYSTEM for a malformed response */
export function parseReadCapacity16(response: Buffer): Capacity {
  need(response, 12, 'READ CAPACITY (16)')
  const blocks = response.readBigUInt64BE(0) + 1n
  const blockSize = response.readUInt32BE(8)
  if (blockSize === 0) throw malformed('READ CAPACITY (16)', 'a block size of 0')
  return { blocks, blockSize, bytes: blocks * BigInt(blockSize) }
}

/** The mandatory part of standard INQUIRY data (SPC). @throws BrickError SYSTEM for a malformed response */
export function parseInquiry(response: Buffer): Inquiry {
  need(response, 36, 'INQUIRY')
  return {
    qualifier: qualifierOf(response),
    type: response.readUInt8(0) & 0x1f,
    vendor: text(response, 8, 16),
    product: text(response, 16, 32),
    revision: text(response, 32, 36),
  }
}

/** The peripheral qualifier, with which standard INQUIRY data and every page begin; 0 where there is nothing. */
export function qualifierOf([first = 0]: Buffer): number {
  return first >> 5
}

/** The fields are ASCII, padded with blanks; some devices pad with NUL. */
function text(response: Buffer, start: number, end: number): string {
  return response.toString('latin1', start, end).replace(/[ \0]+$/, '')
}

function need(response: Buffer, bytes: number, command: string): void {
  if (response.length < bytes) {
    throw malformed(command, `${response.length} of ${bytes} bytes`, { needed: bytes })
  }
}

function malformed(command: string, what: string, details: Record<string, unknown> = {}): BrickError {
  return new BrickError('SYSTEM', `${command}: the device answered with ${what}`, { details })
}
