import type { Socket } from 'node:net'
import { BrickError } from '../errors.ts'
import { openConnection, peerOf, unreachable } from '../network/connect.ts'
import { formatPortal } from '../network/portal.ts'
import type { Portal } from '../network/portal.ts'
import {
  checkInitialization,
  encodeCommand,
  encodeInitialization,
  entryLength,
  malformed,
  readCompletion,
  readData,
  readPdus,
  readTermination,
  types,
} from './pdu.ts'
import type { Completion, Pdu } from './pdu.ts'

/** A command's entry in the queue, as it goes: bytes 40 to 63 are its own, the rest is the same for all. */
export interface Command {
  readonly opcode: number
  /** Byte 4, of Fabrics commands; the first of the namespace's number of others. */
  readonly fabricsType?: number
  readonly namespaceId?: number
  /** Bytes 40 to 63: command dwords 10 to 15. */
  readonly words?: Buffer
  /** Data that goes along. */
  readonly data?: Buffer
  /** Bytes of data that are to come back, all of them. */
  readonly length?: number
}

export interface CommandAnswer {
  readonly result: bigint
  readonly data: Buffer
}

/** Of an entry's flags: data is described by an SGL (NVM Express Base Specification 2.0, figure 87). */
const describedBySgl = 0x40
/** SGL descriptor types (figures 112 and 121): data in the capsule, and data that the transport brings. */
const inCapsule = 0x01
const byTransport = 0x5a

/**
 * The queue of admin commands to a controller over NVMe/TCP, one command at a time. The signal that opens it ends it.
 *
 * All calls fail with the signal's reason, with PORTAL_UNREACHABLE when the connection breaks, or with LOGIN_FAILED when
 * what comes through it is not NVMe/TCP.
 */
export class AdminQueue implements Disposable {
  /** Where it leads: an address, whatever was asked for. */
  readonly portal: Portal
  readonly #socket: Socket
  readonly #signal: AbortSignal
  readonly #pdus: AsyncGenerator<Pdu, void>
  #commandId = 0

  private constructor(portal: Portal, socket: Socket, signal: AbortSignal) {
    this.portal = portal
    this.#socket = socket
    this.#signal = signal
    this.#pdus = readPdus(socket)
  }

  /** Opens the connection and agrees on its parameters (NVMe/TCP Transport Specification 1.0, 3.1). */
  static async open(portal: Portal, signal: AbortSignal): Promise<AdminQueue> {
    const socket = await openConnection(portal, signal)
    const queue = new AdminQueue(peerOf(socket, portal), socket, signal)
    try {
      socket.write(encodeInitialization())
      checkInitialization(await queue.#receive(types.initializeConnectionResponse))
      return queue
    } catch (error) {
      queue[Symbol.dispose]()
      throw error
    }
  }

  /** Carries a command out. @throws CommandRefused when the controller says no */
  async run(command: Command): Promise<CommandAnswer> {
    const commandId = (this.#commandId = (this.#commandId + 1) & 0x7fff)
    const { length = 0 } = command
    this.#socket.write(encodeCommand(toEntry(command, commandId), command.data))
    const data = Buffer.alloc(length)
    for (let received = 0; ;) {
      const pdu = await this.#receive(types.responseCapsule, types.dataToHost)
      if (pdu.type === types.responseCapsule) {
        const completion = readCompletion(pdu)
        if (completion.commandId !== commandId) throw malformed('a response to another command')
        if (completion.statusType !== 0 || completion.statusCode !== 0)
          throw new CommandRefused(this.portal, completion)
        if (received !== length) throw malformed(`${received} of ${length} bytes of data`)
        return { result: completion.result, data }
      }
      const part = readData(pdu)
      if (part.commandId !== commandId) throw malformed('data for another command')
      // What is empty or out of order has no use, and could go on without an end.
      if (part.data.length === 0 || part.offset !== received || part.data.length > length - received) {
        throw malformed(`${part.data.length} bytes of data at ${part.offset}, after ${received} of ${length}`)
      }
      received += part.data.copy(data, received)
      if (!part.last || !part.success) continue
      if (received !== length) throw malformed(`${received} of ${length} bytes of data`)
      return { result: 0n, data }
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  async #receive(...expected: number[]): Promise<Pdu> {
    try {
      const { value: pdu } = await this.#pdus.next()
      if (!pdu) throw new Error('the connection was closed before an answer came')
      if (expected.includes(pdu.type)) return pdu
      if (pdu.type === types.controllerTermination)
        throw malformed(`our PDU, says the controller: ${readTermination(pdu)}`)
      throw malformed(`a PDU of type ${pdu.type}`)
    } catch (error) {
      throw unreachable(this.portal, error, this.#signal)
    }
  }
}

/** A controller's no. */
export class CommandRefused extends Error {
  override readonly name = 'CommandRefused'
  /** 'SCT/SC', as the kernel's verbs have it. */
  readonly status: string

  constructor(portal: Portal, { statusType, statusCode }: Completion) {
    const status = `${statusType.toString(16)}/${statusCode.toString(16).padStart(2, '0')}`
    super(`portal ${formatPortal(portal)}: status ${status}`)
    this.status = status
  }

  /** As a failure of the whole. */
  failure(code: 'AUTH_FAILED' | 'LOGIN_FAILED', portal: Portal, meaning?: string): BrickError {
    const message = meaning === undefined ? this.message : `${this.message}: ${meaning}`
    return new BrickError(code, message, {
      details: { portal: formatPortal(portal), status: this.status },
      cause: this,
    })
  }
}

function toEntry(
  { opcode, fabricsType, namespaceId = 0, words, data, length = 0 }: Command,
  commandId: number,
): Buffer {
  const entry = Buffer.alloc(entryLength)
  entry.writeUInt8(opcode, 0)
  entry.writeUInt8(describedBySgl, 1)
  entry.writeUInt16LE(commandId, 2)
  entry.writeUInt32LE(fabricsType ?? namespaceId, 4)
  entry.writeUInt32LE(data?.length ?? length, 32)
  entry.writeUInt8(data ? inCapsule : byTransport, 39)
  words?.copy(entry, 40)
  return entry
}
