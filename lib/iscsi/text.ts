import { malformed } from './pdu.ts'

/** Keys may be repeated, and their order counts, in the answer to SendTargets. */
export type Keys = readonly (readonly [key: string, value: string])[]

/** Far more than any portal's list of targets. */
const textLimit = 1024 * 1024

/** RFC 7143 6.1: `key=value` pairs, each with a NUL at its end. */
export function encodeText(keys: Keys): Buffer {
  return Buffer.from(keys.map(([key, value]) => `${key}=${value}\0`).join(''))
}

/** @throws BrickError LOGIN_FAILED for what is not UTF-8 or not made of pairs */
export function decodeText(text: Buffer): Keys {
  const pairs = utf8(text).split('\0')
  // Some targets count the padding as text.
  return pairs
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [, key, value] = /^([A-Za-z][\w.@+#/-]{0,62})=(.*)$/s.exec(pair) ?? []
      if (key === undefined || value === undefined) throw malformed('a text that is not made of keys and values')
      return [key, value]
    })
}

/** As above, for a negotiation: no key comes twice. */
export function decodeAnswer(text: Buffer): ReadonlyMap<string, string> {
  const keys = decodeText(text)
  const answer = new Map(keys)
  if (answer.size < keys.length) throw malformed('a key twice in one answer')
  return answer
}

/** A text that comes in parts, which may be divided anywhere. */
export class TextParts {
  readonly #parts: Buffer[] = []
  #length = 0

  /** @throws BrickError LOGIN_FAILED when it becomes too much */
  add(part: Buffer): void {
    this.#length += part.length
    if (this.#length > textLimit) throw malformed(`a text of more than ${textLimit} bytes`)
    this.#parts.push(part)
  }

  get whole(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

function utf8(text: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text)
  } catch {
    throw malformed('a text that is not UTF-8')
  }
}
