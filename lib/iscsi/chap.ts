import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import { BrickError } from '../errors.ts'
import type { ChapCredentials } from '../properties/iscsi.ts'
import type { Secret } from '../properties/secret.ts'
import { malformed } from './pdu.ts'
import type { Keys } from './text.ts'

/** CHAP_A: RFC 7143 12.1.3 and IANA's PPP authentication algorithms, in our order of preference. */
const algorithms = new Map([
  ['7', 'sha256'],
  ['8', 'sha3-256'],
  ['6', 'sha1'],
  ['5', 'md5'],
])
/** RFC 7143 12.1.3: the longest challenge, in bytes. */
const challengeLimit = 1024
const challengeLength = 32

interface Challenge {
  readonly id: number
  readonly bytes: Buffer
}

/** CHAP as an initiator does it: RFC 7143 12.1.3, RFC 1994. One for all connections of a login that is redirected. */
export class Chap {
  readonly #credentials: ChapCredentials
  readonly #posed: Challenge[] = []
  #algorithm = ''

  constructor(credentials: ChapCredentials) {
    this.#credentials = credentials
  }

  /** Whether the target is to prove itself, too. */
  get mutual(): boolean {
    return this.#credentials.passwordIn !== undefined
  }

  /** The algorithms of this host; one that forbids weak ones has fewer. */
  get offer(): Keys {
    return [['CHAP_A', [...algorithms].flatMap(([number, hash]) => (isUsable(hash) ? [number] : [])).join(',')]]
  }

  /**
   * Our response to the target's challenge, and our own challenge where the target is to prove itself.
   *
   * @throws BrickError AUTH_FAILED when the target wants what we do not have, or poses a challenge of ours
   */
  respond(answer: ReadonlyMap<string, string>): Keys {
    const hash = algorithms.get(answer.get('CHAP_A') ?? '')
    if (hash === undefined || !isUsable(hash)) throw failed('the target chose no algorithm of those that were offered')
    this.#algorithm = hash
    const challenge = { id: readByte(answer.get('CHAP_I')), bytes: readBinary(answer.get('CHAP_C'), challengeLimit) }
    if (this.#posed.some(({ bytes }) => bytes.equals(challenge.bytes))) throw reflected()
    const { username, password } = this.#credentials
    const response = chapResponse(hash, challenge.id, password, challenge.bytes)
    return [['CHAP_N', username], ['CHAP_R', hex(response)], ...(this.mutual ? this.#pose() : [])]
  }

  /** Checks the target's response to our challenge, if there was one. @throws BrickError AUTH_FAILED when it is wrong */
  verify(answer: ReadonlyMap<string, string>): void {
    const { usernameIn, passwordIn } = this.#credentials
    if (passwordIn === undefined) return
    const posed = this.#posed.at(-1)
    if (answer.has('CHAP_C')) throw reflected()
    if (posed === undefined || !answer.has('CHAP_R')) throw failed('the target did not prove itself')
    const expected = chapResponse(this.#algorithm, posed.id, passwordIn, posed.bytes)
    const given = readBinary(answer.get('CHAP_R'), challengeLimit)
    if (given.length !== expected.length || !timingSafeEqual(given, expected) || answer.get('CHAP_N') !== usernameIn) {
      throw failed('the target does not know its own password')
    }
  }

  #pose(): Keys {
    const challenge = { id: randomInt(256), bytes: randomBytes(challengeLength) }
    this.#posed.push(challenge)
    return [
      ['CHAP_I', String(challenge.id)],
      ['CHAP_C', hex(challenge.bytes)],
    ]
  }
}

/** H(id | secret | challenge) */
export function chapResponse(hash: string, id: number, secret: Secret, challenge: Buffer): Buffer {
  return createHash(hash).update(Buffer.of(id)).update(secret.reveal()).update(challenge).digest()
}

/** RFC 7143 6.1: a binary value as `0x` and hexadecimal digits or `0b` and base64. @throws BrickError LOGIN_FAILED */
export function readBinary(text: string | undefined, limit: number): Buffer {
  const [, digits] = /^0x([\da-f]+)$/i.exec(text ?? '') ?? []
  const [, base64] = /^0b((?:[\da-z+/]{4})*(?:[\da-z+/]{2}==|[\da-z+/]{3}=)?)$/i.exec(text ?? '') ?? []
  const bytes =
    digits === undefined
      ? Buffer.from(base64 ?? '', 'base64')
      : Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
  if (bytes.length === 0 || bytes.length > limit) throw malformed('a binary value that is none, or too long')
  return bytes
}

function readByte(text: string | undefined): number {
  const number = /^(?:\d{1,3}|0x[\da-f]{1,2})$/i.test(text ?? '') ? Number(text) : NaN
  if (!(number < 256)) throw malformed('a CHAP identifier that is no byte')
  return number
}

function isUsable(hash: string): boolean {
  try {
    createHash(hash)
    return true
  } catch {
    return false
  }
}

function hex(bytes: Buffer): string {
  return `0x${bytes.toString('hex')}`
}

function reflected(): BrickError {
  return failed('the target posed a challenge of ours')
}

function failed(reason: string): BrickError {
  return new BrickError('AUTH_FAILED', `CHAP: ${reason}`)
}
