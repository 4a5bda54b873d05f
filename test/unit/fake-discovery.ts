import type { Socket } from 'node:net'
import { ByteReader, PeerLeft, withServer } from './loopback.ts'

// A discovery controller over NVMe/TCP for tests. Written apart from lib/nvme.

export interface RecordFields {
  nqn?: string
  subtype?: number
  transport?: number
  family?: number
  traddr?: string
  trsvcid?: string
  controllerId?: number
  requirement?: number
  sectype?: number
}

/** A record of the discovery log: NVM Express Base Specification 2.0, figure 265. */
export function record({
  nqn = 'nqn.2026-11.test:1',
  subtype = 2,
  transport = 3,
  family = 1,
  traddr = '10.0.0.1',
  trsvcid = '4420',
  controllerId = 0xffff,
  requirement = 0,
  sectype = 0,
}: RecordFields): Buffer {
  const bytes = Buffer.alloc(1024)
  bytes.set([transport, family, subtype, requirement])
  bytes.writeUInt16LE(1, 4)
  bytes.writeUInt16LE(controllerId, 6)
  bytes.writeUInt16LE(32, 8)
  bytes.write(trsvcid, 32)
  bytes.write(nqn, 256)
  bytes.write(traddr, 512)
  bytes[768] = sectype
  return bytes
}

export function header(generation: bigint, records: number): Buffer {
  const bytes = Buffer.alloc(1024)
  bytes.writeBigUInt64LE(generation, 0)
  bytes.writeBigUInt64LE(BigInt(records), 8)
  return bytes
}

/** A command as the controller sees it. */
export interface Asked {
  opcode: number
  flags: number
  commandId: number
  /** Byte 4: the type of a Fabrics command. */
  fabricsType: number
  /** The whole entry, 64 bytes. */
  entry: Buffer
  data: Buffer
}

/** One host's connection, as the script of a fake controller uses it. */
export class Peer {
  readonly socket: Socket
  readonly #reader: ByteReader

  constructor(socket: Socket) {
    this.socket = socket
    this.#reader = new ByteReader(socket)
  }

  /** The next PDU, whole. */
  async pdu(): Promise<Buffer> {
    const common = await this.#reader.read(8)
    return Buffer.concat([common, await this.#reader.read(common.readUInt32LE(4) - 8)])
  }

  async ask(): Promise<Asked> {
    const pdu = await this.pdu()
    const entry = pdu.subarray(8, 72)
    return {
      opcode: entry.readUInt8(0),
      flags: entry.readUInt8(1),
      commandId: entry.readUInt16LE(2),
      fabricsType: entry.readUInt8(4),
      entry,
      data: pdu.subarray(72),
    }
  }

  /** A response capsule. `status` is SCT << 8 | SC. */
  respond({ commandId }: Asked, { result = 0n, status = 0 }: { result?: bigint; status?: number } = {}): void {
    const pdu = pduOf(5, 24, Buffer.alloc(16))
    pdu.writeBigUInt64LE(result, 8)
    pdu.writeUInt16LE(commandId, 20)
    pdu.writeUInt16LE(status << 1, 22)
    this.socket.write(pdu)
  }

  /** Data to the host. `flags`: 4 the last, 8 no response follows. */
  data({ commandId }: Asked, offset: number, data: Buffer, flags = 0): void {
    const pdu = pduOf(7, 24, Buffer.concat([Buffer.alloc(16), data]))
    pdu.writeUInt8(flags, 1)
    pdu.writeUInt8(24, 3)
    pdu.writeUInt16LE(commandId, 8)
    pdu.writeUInt32LE(offset, 12)
    pdu.writeUInt32LE(data.length, 16)
    this.socket.write(pdu)
  }

  /** Answers the initialization; returns what the host asked for. */
  async initialize(change: (pdu: Buffer) => void = () => undefined): Promise<Buffer> {
    const asked = await this.pdu()
    const pdu = pduOf(1, 128, Buffer.alloc(120))
    pdu.writeUInt32LE(65_536, 12)
    change(pdu)
    this.socket.write(pdu)
    return asked
  }

  /** Everything up to the first command for the log, which it returns. */
  async letIn(): Promise<Asked> {
    await this.initialize()
    this.respond(await this.ask(), { result: 1n })
    this.respond(await this.ask(), { result: 0x20_0f00_03ffn })
    this.respond(await this.ask())
    this.respond(await this.ask(), { result: 1n })
    return this.ask()
  }

  /** Serves the log from `asked` on, in parts of at most `part` bytes, until the host leaves. */
  async serve(asked: Asked, log: Buffer, part = 1 << 20, success = false): Promise<void> {
    for (let command = asked; ; command = await this.ask()) {
      const words = command.entry.subarray(40)
      const length = (words.readUInt16LE(2) + 1) * 4
      const offset = words.readUInt32LE(8)
      const bytes = log.subarray(offset, offset + length)
      for (let at = 0; at < bytes.length; at += part) {
        const last = at + part >= bytes.length
        this.data(command, at, bytes.subarray(at, at + part), last ? (success ? 12 : 4) : 0)
      }
      if (!success) this.respond(command)
    }
  }
}

export function pduOf(type: number, headerLength: number, rest: Buffer): Buffer {
  const common = Buffer.alloc(8)
  common.writeUInt8(type, 0)
  common.writeUInt8(headerLength, 2)
  common.writeUInt32LE(8 + rest.length, 4)
  return Buffer.concat([common, rest])
}

/** A fake controller on loopback, as `withServer` has it. A script may serve until the host leaves. */
export function withController<T>(
  script: (peer: Peer) => Promise<void>,
  use: (portal: string) => Promise<T>,
): Promise<T> {
  return withServer(async (socket) => {
    await script(new Peer(socket)).catch((error: unknown) => {
      if (!(error instanceof PeerLeft)) throw error
    })
  }, use)
}
