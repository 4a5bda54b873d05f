import assert from 'node:assert/strict'
import { BrickError } from 'hostbrick'
import type { ErrorCode } from 'hostbrick'

/** That the call fails in this way. */
export async function rejects(code: ErrorCode, call: Promise<unknown>): Promise<BrickError> {
  const error = await call.then(
    () => assert.fail(`no ${code}`),
    (failure: unknown) => failure,
  )
  assert.ok(error instanceof BrickError, String(error))
  assert.equal(error.code, code, error.message)
  return error
}
