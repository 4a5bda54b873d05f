import type { Socket } from 'node:net'
import { ByteReader, withServer } from './loopback.ts'

/** A PDU as a target sees it. */
export interface Asked {
  opcode: number
  immediate: boolean
  flags: number
  header: Buffer
  taskTag: number
  transferTag: number
  command: number
  expected: number
  text: string
  keys: Map<string, string>
}

export interface Answer {
  opcode?: number
  flags?: number
  taskTag?: number
  transferTag?: number
  /** StatSN; counted up when left out. */
  status?: number
  text?: string | Buffer
  /** A change of the header's bytes before it is sent. */
  change?: (pdu: Buffer) => void
}

export const loginResponse = 0x23
export const textResponse = 0x24
export const noTag = 0xffffffff
export const fullFeature = 0x87

/** One initiator's connection, as the script of a fake target uses it. Written apart from lib/iscsi/pdu.ts. */
export class Peer {
  readonly socket: Socket
  readonly #reader: ByteReader
  #status = 0x10

  constructor(socket: Socket) {
    this.socket = socket
    this.#reader = new ByteReader(socket)
  }

  async ask(): Promise<Asked> {
    const header = await this.#reader.read(48)
    const length = header.readUIntBE(5, 3)
    const data = await this.#reader.read(Math.ceil(length / 4) * 4)
    const text = data.toString('utf8', 0, length)
    const pairs = text.split('\0').filter((pair) => pair !== '')
    return {
      opcode: header.readUInt8(0) & 0x3f,
      immediate: (header.readUInt8(0) & 0x40) !== 0,
      flags: header.readUInt8(1),
      header,
      taskTag: header.readUInt32BE(16),
      transferTag: header.readUInt32BE(20),
      command: header.readUInt32BE(24),
      expected: header.readUInt32BE(28),
      text,
      keys: new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])),
    }
  }

  answer(answer: Answer): void {
    this.socket.write(this.pdu(answer))
  }

  pdu({
    opcode = textResponse,
    flags = 0x80,
    taskTag = 1,
    transferTag = noTag,
    status,
    text = '',
    change,
  }: Answer): Buffer {
    const data = Buffer.from(text)
    const pdu = Buffer.alloc(48 + Math.ceil(data.length / 4) * 4)
    pdu[0] = opcode
    pdu[1] = flags
    pdu.writeUIntBE(data.length, 5, 3)
    pdu.writeUInt32BE(taskTag, 16)
    pdu.writeUInt32BE(transferTag, 20)
    pdu.writeUInt32BE(status ?? this.#status++, 24)
    data.copy(pdu, 48)
    change?.(pdu)
    return pdu
  }

  login(flags: number, text: string | Buffer = '', code = 0): void {
    this.answer({
      opcode: loginResponse,
      flags,
      taskTag: 0,
      transferTag: 0,
      text,
      change: (pdu) => pdu.writeUInt16BE(code, 36),
    })
  }

  /** The whole of a login without CHAP; returns the first question after it. */
  async letIn(): Promise<Asked> {
    await this.ask()
    this.login(fullFeature, 'TargetPortalGroupTag=1\0MaxRecvDataSegmentLength=8192\0')
    return this.ask()
  }
}

/** A fake target on loopback, as `withServer` has it. */
export function withTarget<T>(
  script: (peer: Peer, portal: string, connection: number) => Promise<void>,
  use: (portal: string) => Promise<T>,
): Promise<T> {
  return withServer((socket, portal, connection) => script(new Peer(socket), portal, connection), use)
}
