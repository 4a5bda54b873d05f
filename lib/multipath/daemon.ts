import { endianness } from 'node:os'
import { binding, failedWith, finish } from '../binding.ts'
import { BrickError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'

/** The first from multipath-tools 0.12 on, the second in all releases. */
const listeners = [{ path: '/run/multipathd.socket' }, { abstract: '/org/kernel/linux/storage/multipathd' }] as const

/** Of an answer, bytes: multipathd's own client takes no more (libmpathcmd/mpath_cmd.c). */
const longestAnswer = 32 * 1024 * 1024
const lengthSize = 8

/**
 * Gives multipathd one command (multipathd(8)) and returns what it says, without the newline at its end; undefined when
 * no multipathd is running. One that is too busy refuses a command after 4 s, undone (check_timeout in
 * multipathd/uxlsnr.c), and is given it again for as long as the caller waits.
 *
 * @throws BrickError DEVICE_IN_USE, DEVICE_NOT_FOUND, PERMISSION_DENIED, or TOOL_FAILED when the answer is another failure
 *   or none
 */
export async function askMultipathd(command: string, signal: AbortSignal): Promise<string | undefined> {
  for (;;) {
    try {
      return await tryMultipathd(command, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof BrickError && error.code === 'TIMEOUT')) throw error
    }
  }
}

/** The same, given once. @throws BrickError TIMEOUT, too, when it is busy with something else */
export async function tryMultipathd(command: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await finish(binding().exchange(listeners, frame(command), 'counted'), signal)
    return verdict(command, unframe(answer))
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ECONNREFUSED')) return undefined
    signal.throwIfAborted()
    throw error instanceof BrickError ? error : failure(command, String(error))
  }
}

/**
 * Whether there may be a multipathd to be asked, known on the spot. It may be another's socket, or one that answers
 * nothing.
 */
export function isMultipathdListening(): boolean {
  return binding().isListening(listeners)
}

export async function isMultipathdRunning(signal: AbortSignal): Promise<boolean> {
  return (await askMultipathd('show daemon', signal)) !== undefined
}

/** The text with its NUL, and before it their length as a native size_t. */
export function frame(text: string): Buffer {
  const body = Buffer.from(`${text}\0`)
  const length = Buffer.alloc(lengthSize)
  if (endianness() === 'LE') length.writeBigUInt64LE(BigInt(body.length))
  else length.writeBigUInt64BE(BigInt(body.length))
  return Buffer.concat([length, body])
}

/** How many bytes the frame has that begins with these, which are eight at least. Throws when it can be none. */
export function frameSize(start: Buffer): number {
  const length = endianness() === 'LE' ? start.readBigUInt64LE() : start.readBigUInt64BE()
  if (length < 1n || length > longestAnswer) throw new RangeError(`an answer of ${length} bytes`)
  return lengthSize + Number(length)
}

/** The text of a whole frame, without the newline at its end. Throws when it is none. */
export function unframe(bytes: Buffer): string {
  const text = bytes.toString('utf8', lengthSize)
  if (bytes.length !== frameSize(bytes) || text.indexOf('\0') !== text.length - 1) {
    throw new Error('an answer that does not end where it should')
  }
  return text.slice(0, -1).replace(/\n$/, '')
}

/**
 * The answer, if it is not a failure: those are texts like any other. They have a line for themselves, or are a list of
 * all commands when this one was not understood (default_reply in multipathd/uxlsnr.c; some releases give no reason, and
 * some the list alone).
 */
export function verdict(command: string, answer: string): string {
  const failed = /^(?:fail|timeout|permission deny[^\n]*)(?:\n|$)/.test(answer) || commandList.test(answer)
  if (!failed) return answer
  throw failure(command, answer.replace(commandList, ''))
}

/** What do_genhelp in multipathd/cli.c adds to a complaint. */
const commandList = /^multipath-tools v[^\n]*\nCLI commands reference:[^]*/m

function failure(command: string, answer: string): BrickError {
  const words = answer.trim().replaceAll('\n', ': ')
  return new BrickError(codeOf(answer), `multipathd, '${command}': ${words}`, { details: { command, answer } })
}

function codeOf(answer: string): ErrorCode {
  if (/^map or partition in use$/m.test(answer)) return 'DEVICE_IN_USE'
  if (/^device not found$/m.test(answer)) return 'DEVICE_NOT_FOUND'
  if (/^permission deny/m.test(answer)) return 'PERMISSION_DENIED'
  if (/^timeout$/m.test(answer)) return 'TIMEOUT'
  return 'TOOL_FAILED'
}
