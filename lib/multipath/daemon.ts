import { Socket } from 'node:net'
import { endianness } from 'node:os'
import { binding, failedWith, finish } from '../binding.ts'
import { BrickError } from '../errors.ts'

/** From multipath-tools 0.12 on. */
const socketPath = '/run/multipathd.socket'
/** All releases. */
const socketName = '/org/kernel/linux/storage/multipathd'

/** Of an answer, bytes: multipathd's own client takes no more (libmpathcmd/mpath_cmd.c). */
const longestAnswer = 32 * 1024 * 1024
const lengthSize = 8

/**
 * Gives multipathd one command (multipathd(8)) and returns what it says, without the newline at its end; undefined when
 * no multipathd is running.
 *
 * @throws BrickError DEVICE_IN_USE, DEVICE_NOT_FOUND, PERMISSION_DENIED, or TOOL_FAILED when the answer is a failure
 */
export async function askMultipathd(command: string, signal: AbortSignal): Promise<string | undefined> {
  const descriptor = await connect(signal)
  if (descriptor === undefined) return undefined
  const socket = new Socket({ fd: descriptor, signal })
  try {
    socket.write(frame(command))
    return verdict(command, await receive(socket))
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof BrickError ? error : failure(command, String(error))
  } finally {
    socket.destroy()
  }
}

async function connect(signal: AbortSignal): Promise<number | undefined> {
  for (const job of [() => binding().connectPath(socketPath), () => binding().connectAbstract(socketName)]) {
    try {
      return await finish(job(), signal)
    } catch (error) {
      if (!failedWith(error, 'ENOENT', 'ECONNREFUSED')) throw error
    }
  }
  return undefined
}

async function receive(socket: Socket): Promise<string> {
  let received = Buffer.alloc(0)
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk as Buffer])
    const text = unframe(received)
    if (text !== undefined) return text
  }
  throw new Error('it closed the connection without an answer')
}

/** The text with its NUL, and before it their length as a native size_t. */
export function frame(text: string): Buffer {
  const body = Buffer.from(`${text}\0`)
  const length = Buffer.alloc(lengthSize)
  if (endianness() === 'LE') length.writeBigUInt64LE(BigInt(body.length))
  else length.writeBigUInt64BE(BigInt(body.length))
  return Buffer.concat([length, body])
}

/** The text of a frame; undefined while some of it is still to come. Throws when it is too long to be one. */
export function unframe(received: Buffer): string | undefined {
  if (received.length < lengthSize) return undefined
  const length = Number(endianness() === 'LE' ? received.readBigUInt64LE() : received.readBigUInt64BE())
  if (length > longestAnswer) throw new RangeError(`an answer of ${length} bytes`)
  if (received.length < lengthSize + length) return undefined
  return received
    .subarray(lengthSize, lengthSize + length)
    .toString()
    .replace(/\n?\0?$/, '')
}

/**
 * The answer, if it is not a failure: those are texts like any other, and begin with "fail" or "timeout" (multipathd's
 * default_reply in uxlsnr.c, which up to 0.9 gives no reason).
 */
export function verdict(command: string, answer: string): string {
  if (!/^(?:fail|timeout|permission deny)/.test(answer)) return answer
  throw failure(command, answer)
}

function failure(command: string, answer: string): BrickError {
  const message = `multipathd, '${command}': ${answer.replaceAll('\n', ': ')}`
  const details = { command, answer }
  if (answer.includes('in use')) return new BrickError('DEVICE_IN_USE', message, { details })
  if (answer.includes('not found')) return new BrickError('DEVICE_NOT_FOUND', message, { details })
  if (answer.includes('permission deny')) return new BrickError('PERMISSION_DENIED', message, { details })
  return new BrickError('TOOL_FAILED', message, { details })
}
