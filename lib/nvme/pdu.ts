import { BrickError } from '../errors.ts'
import { readFrames } from '../network/frames.ts'

// NVMe/TCP Transport Specification 1.0, 3.6, with its names. Numbers are little-endian. Digests are never negotiated.

/** PDU types (figure 13). */
export const types = {
  initializeConnectionRequest: 0x00,
  initializeConnectionResponse: 0x01,
  controllerTermination: 0x03,
  commandCapsule: 0x04,
  responseCapsule: 0x05,
  dataToHost: 0x07,
} as const

/** Of the flags of data to the host: the last of a command's, and whether no response follows as all went well. */
const lastData = 0x04
const success = 0x08

const headerLength = 8
const initializationLength = 128
const commandLength = 72
/** In a command's entry, bytes 0 to 63 of it. */
export const entryLength = 64
const responseLength = 24

/** The most that we take in one PDU: more than we ever ask for, which is 4 KiB. */
const longestPdu = 16_384

/** One PDU from a controller, whole. */
export interface Pdu {
  readonly type: number
  readonly flags: number
  readonly bytes: Buffer
  /** Where its data begins; its length where it has none. */
  readonly dataOffset: number
}

/** A command's completion (NVM Express Base Specification 2.0, figure 90). */
export interface Completion {
  readonly commandId: number
  /** The first eight bytes, which mean something else for each command. */
  readonly result: bigint
  /** Status code type and status code: 0 when all went well. */
  readonly statusType: number
  readonly statusCode: number
}

/** A part of a command's data. */
export interface DataToHost {
  readonly commandId: number
  readonly offset: number
  readonly data: Buffer
  readonly last: boolean
  /** Whether this is the command's completion as well. */
  readonly success: boolean
}

/** 3.6.2.2: format 0, no alignment, no digests, one transfer at a time. */
export function encodeInitialization(): Buffer {
  const pdu = Buffer.alloc(initializationLength)
  putHeader(pdu, types.initializeConnectionRequest, initializationLength, 0)
  return pdu
}

/** 3.6.2.5: the entry, then the data that goes along with it. */
export function encodeCommand(entry: Buffer, data: Buffer = Buffer.alloc(0)): Buffer {
  const pdu = Buffer.alloc(commandLength + data.length)
  putHeader(pdu, types.commandCapsule, commandLength, data.length > 0 ? commandLength : 0)
  entry.copy(pdu, headerLength, 0, entryLength)
  data.copy(pdu, commandLength)
  return pdu
}

/** 3.6.2.3. @throws BrickError LOGIN_FAILED when the controller wants what was not offered */
export function checkInitialization({ bytes }: Pdu): void {
  if (bytes.length !== initializationLength) throw malformed(`an initialization of ${bytes.length} bytes`)
  const [format, digests] = [bytes.readUInt16LE(8), bytes.readUInt8(11)]
  if (format !== 0 || digests !== 0) throw malformed(`an initialization of format ${format} with digests ${digests}`)
}

/** 3.6.2.6. */
export function readCompletion({ bytes }: Pdu): Completion {
  if (bytes.length !== responseLength) throw malformed(`a response of ${bytes.length} bytes`)
  // Bit 0 is the phase, which has no meaning over a fabric.
  const status = bytes.readUInt16LE(headerLength + 14) >> 1
  return {
    result: bytes.readBigUInt64LE(headerLength),
    commandId: bytes.readUInt16LE(headerLength + 12),
    statusType: (status >> 8) & 0x07,
    statusCode: status & 0xff,
  }
}

/** 3.6.2.8. */
export function readData({ bytes, flags, dataOffset }: Pdu): DataToHost {
  if (bytes.length < responseLength) throw malformed(`data in ${bytes.length} bytes`)
  const data = bytes.subarray(dataOffset)
  if (dataOffset < responseLength || bytes.readUInt32LE(16) !== data.length) {
    throw malformed(`${bytes.readUInt32LE(16)} bytes of data where there are ${data.length}`)
  }
  return {
    commandId: bytes.readUInt16LE(8),
    offset: bytes.readUInt32LE(12),
    data,
    last: (flags & lastData) !== 0,
    success: (flags & success) !== 0,
  }
}

/** 3.6.2.7: why the controller ends the connection. */
export function readTermination({ bytes }: Pdu): number {
  return bytes.length >= 10 ? bytes.readUInt16LE(8) : 0
}

/**
 * The PDUs in a stream of bytes, until it ends; one that is cut off there is none.
 *
 * @throws BrickError LOGIN_FAILED for what is too long or does not add up
 */
export async function* readPdus(chunks: AsyncIterable<Buffer>): AsyncGenerator<Pdu, void> {
  for await (const frame of readFrames(chunks, lengthOf)) yield decode(frame)
}

/** The length of the PDU that begins here, or of a common header as long as that is not there. */
function lengthOf(bytes: Buffer): number {
  if (bytes.length < headerLength) return headerLength
  const [header, offset, length] = [bytes.readUInt8(2), bytes.readUInt8(3), bytes.readUInt32LE(4)]
  if (header < headerLength || length < header || offset > length || length > longestPdu) {
    throw malformed(`a PDU of ${length} bytes with a header of ${header} and data at ${offset}`)
  }
  return length
}

function decode(bytes: Buffer): Pdu {
  const offset = bytes.readUInt8(3)
  return {
    type: bytes.readUInt8(0),
    flags: bytes.readUInt8(1),
    bytes,
    dataOffset: offset === 0 ? bytes.length : offset,
  }
}

/** 3.6.1: the common header. */
function putHeader(pdu: Buffer, type: number, header: number, dataOffset: number): void {
  pdu.writeUInt8(type, 0)
  pdu.writeUInt8(header, 2)
  pdu.writeUInt8(dataOffset, 3)
  pdu.writeUInt32LE(pdu.length, 4)
}

/** The other side does not keep to the protocol, or does not speak it at all. */
export function malformed(what: string, details: Record<string, unknown> = {}): BrickError {
  return new BrickError('LOGIN_FAILED', `not what NVMe/TCP allows here: ${what}`, { details })
}
