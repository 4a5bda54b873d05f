import { invalid } from '../errors.ts'
import type { ChapCredentials } from './iscsi.ts'
import { isObject, isPresent, requiredSecret, requiredString } from './read.ts'

/** RFC 7143 6.1: the longest text value, which a user's name is sent as. */
const longestName = 255

/**
 * CHAP credentials as a plain object: `username` and `password`, with `usernameIn` and `passwordIn` for a target that
 * is to prove itself.
 *
 * @throws BrickError INVALID_ARGUMENT, without showing a password
 */
export function readCredentials(value: unknown): ChapCredentials | undefined {
  if (value === undefined || value === null) return undefined
  if (!isObject(value)) throw invalid('credentials', 'an object', `[a ${typeof value}]`)
  const username = requiredString(value, 'username')
  if (Buffer.byteLength(username) > longestName) throw invalid('username', `at most ${longestName} bytes`, username)
  const password = requiredSecret(value, 'password')
  if (!isPresent(value, 'usernameIn') && !isPresent(value, 'passwordIn')) return { method: 'CHAP', username, password }
  const usernameIn = requiredString(value, 'usernameIn')
  const passwordIn = requiredSecret(value, 'passwordIn')
  // RFC 7143 9.2.1: else a target could have us answer our own challenge.
  if (password.reveal() === passwordIn.reveal()) {
    throw invalid('passwordIn', 'another password than the one of this host', passwordIn)
  }
  return { method: 'CHAP', username, password, usernameIn, passwordIn }
}
