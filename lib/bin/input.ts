import { addAbortSignal } from 'node:stream'
import type { Readable } from 'node:stream'
import { BrickError, invalid } from '../errors.ts'
import { isObject } from '../properties/read.ts'
import type { Properties } from '../properties/read.ts'

/**
 * The JSON document on standard input: the one way by which secrets come in, since every user of a host can read
 * the arguments of all processes.
 *
 * @param what it is, for whoever sits at a terminal and wonders what is being waited for
 * @throws BrickError INVALID_ARGUMENT, which shows nothing of it; ABORTED
 */
export async function readInput(what: string, signal: AbortSignal): Promise<unknown> {
  const { stdin } = process
  if (stdin.isTTY) console.error(`hostbrick: reading ${what} (JSON) from standard input`)
  return parseJson(await textOf(stdin, signal), 'standard input', what)
}

/** @throws BrickError INVALID_ARGUMENT, which shows nothing of the text: there may be secrets in it */
export function parseJson(text: string, where: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const got = text === '' ? 'nothing' : 'something else'
    throw new BrickError('INVALID_ARGUMENT', `${where}: expected ${what} as JSON, got ${got}`, {
      details: { field: where },
    })
  }
}

/** @throws BrickError INVALID_ARGUMENT without showing the value */
export function expectObject(value: unknown, what: string): Properties {
  if (!isObject(value)) throw invalid(what, 'an object', typeof value)
  return value
}

async function textOf(stream: Readable, signal: AbortSignal): Promise<string> {
  let text = ''
  try {
    stream.setEncoding('utf8')
    for await (const chunk of addAbortSignal(signal, stream)) text += String(chunk)
  } catch (error) {
    if (signal.aborted) throw new BrickError('ABORTED', 'aborted by the caller', { cause: signal.reason })
    throw error
  }
  return text
}
