import { BrickError } from '../errors.ts'
import { readFrames } from '../network/frames.ts'

/** RFC 7143 11.2.1.2, with the names of chapter 11. */
export const opcodes = {
  nopOut: 0x00,
  loginRequest: 0x03,
  textRequest: 0x04,
  nopIn: 0x20,
  loginResponse: 0x23,
  textResponse: 0x24,
  asyncMessage: 0x32,
  reject: 0x3f,
} as const

/** Of a request's first byte: it takes no place in the order of commands. */
const immediate = 0x40
/** Of the second byte: F, and T in a login. */
export const final = 0x80
/** Of the second byte: the text goes on in the next PDU (RFC 7143 11.10.2, 11.12.2). */
export const continued = 0x40
/** A tag that stands for none. */
export const noTag = 0xffffffff

/** What we declare as MaxRecvDataSegmentLength, and the most that we take, before the declaration too. */
export const dataLimit = 65_536

/** Of the basic header segment, bytes. */
export const headerLength = 48

/** What initiators send. Logins, texts and NOP-Outs have the same fields at the same places. */
export interface Request {
  readonly opcode: number
  readonly immediate: boolean
  readonly flags: number
  /** Bytes 8 to 15: a LUN; in a login ISID and TSIH. */
  readonly place?: Buffer
  readonly taskTag: number
  /** Bytes 20 to 23; in a login the connection's number. */
  readonly transferTag: number
  /** CmdSN. */
  readonly command: number
  readonly data?: Buffer
}

/** What targets send. */
export interface Response {
  readonly opcode: number
  readonly flags: number
  readonly taskTag: number
  readonly transferTag: number
  /** StatSN. */
  readonly status: number
  /** The basic header segment, for what only some PDUs have. */
  readonly header: Buffer
  readonly data: Buffer
}

/** RFC 7143 11.2: header, then data padded to whole words. `expected` is ExpStatSN. */
export function encodeRequest(request: Request, expected: number): Buffer {
  const { opcode, flags, place, taskTag, transferTag, command, data = Buffer.alloc(0) } = request
  const pdu = Buffer.alloc(headerLength + padded(data.length))
  pdu.writeUInt8(opcode | (request.immediate ? immediate : 0), 0)
  pdu.writeUInt8(flags, 1)
  pdu.writeUIntBE(data.length, 5, 3)
  place?.copy(pdu, 8)
  pdu.writeUInt32BE(taskTag, 16)
  pdu.writeUInt32BE(transferTag, 20)
  pdu.writeUInt32BE(command, 24)
  pdu.writeUInt32BE(expected, 28)
  data.copy(pdu, headerLength)
  return pdu
}

/**
 * The PDUs in a stream of bytes, until it ends; one that is cut off there is none. Digests were never negotiated.
 *
 * @throws BrickError LOGIN_FAILED for a PDU with more data than we said we take
 */
export async function* readResponses(chunks: AsyncIterable<Buffer>): AsyncGenerator<Response, void> {
  for await (const frame of readFrames(chunks, lengthOf)) yield decode(frame)
}

/** The length of the PDU that begins here, or of a header as long as nothing is known of its data. */
function lengthOf(bytes: Buffer): number {
  if (bytes.length < 8) return headerLength
  const data = bytes.readUIntBE(5, 3)
  if (data > dataLimit) throw malformed(`a PDU with ${data} bytes of data`)
  return startOfData(bytes) + padded(data)
}

function decode(pdu: Buffer): Response {
  const start = startOfData(pdu)
  return {
    opcode: opcodeOf(pdu),
    flags: pdu.readUInt8(1),
    taskTag: pdu.readUInt32BE(16),
    transferTag: pdu.readUInt32BE(20),
    status: pdu.readUInt32BE(24),
    header: pdu.subarray(0, headerLength),
    data: pdu.subarray(start, start + pdu.readUIntBE(5, 3)),
  }
}

export function opcodeOf(header: Buffer): number {
  return header.readUInt8(0) & 0x3f
}

/** Behind the additional header segments, which byte 4 counts in words and of which none concerns us. */
function startOfData(pdu: Buffer): number {
  return headerLength + pdu.readUInt8(4) * 4
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4
}

/** The other side does not keep to the protocol, or does not speak it at all. */
export function malformed(what: string, details: Record<string, unknown> = {}): BrickError {
  return new BrickError('LOGIN_FAILED', `not what iSCSI allows here: ${what}`, { details })
}
