import { failedWith } from '../binding.ts'
import type { SystemError } from '../binding.ts'
import { BrickError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import { formatAddress } from './address.ts'
import type { NvmeAddress } from './address.ts'

/** What the kernel's log says of a controller's refusals, of which the errno is EIO (nvmf_log_connect_error in fabrics.c). */
const refusals: readonly (readonly [RegExp, ErrorCode])[] = [
  [/is not allowed, hostnqn/, 'AUTH_FAILED'],
  [/auth/i, 'AUTH_FAILED'],
  // The name of the subsystem is that parameter.
  [/Connect Invalid Data Parameter|Connect Invalid SQE Parameter/, 'TARGET_NOT_FOUND'],
]

/** A connect that the kernel reports as failed, in the words of this library. Errors that are none of a connect's stay. */
export function connectError(error: unknown, nqn: string, address: NvmeAddress): unknown {
  const code = codeOf(error)
  if (code === undefined) return error
  const { message, detail, code: errno } = error as SystemError
  const where = formatAddress(address)
  return new BrickError(code, `${where}, ${nqn}: ${detail === undefined || detail === '' ? message : detail}`, {
    details: { portal: where, subsystem: nqn, errno },
    cause: error,
  })
}

function codeOf(error: unknown): ErrorCode | undefined {
  if (failedWith(error, 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ECONNRESET', 'EADDRNOTAVAIL')) {
    return /auth/i.test(error.detail ?? '') ? 'AUTH_FAILED' : 'PORTAL_UNREACHABLE'
  }
  if (failedWith(error, 'EKEYREJECTED', 'ENOKEY', 'EACCES')) return 'AUTH_FAILED'
  if (!failedWith(error, 'EIO')) return undefined
  return refusals.find(([words]) => words.test(error.detail ?? ''))?.[1] ?? 'LOGIN_FAILED'
}
