import { failedWith, SystemError } from '../binding.ts'
import { BrickError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import { formatAddress } from './address.ts'
import type { NvmeAddress } from './address.ts'

/** What the kernel's log says of a controller's refusals, of which the errno is EIO (nvmf_log_connect_error in fabrics.c). */
const refusals: readonly (readonly [RegExp, ErrorCode])[] = [
  [/is not allowed, hostnqn/, 'AUTH_FAILED'],
  // The name of the subsystem is that parameter.
  [/Connect Invalid Data Parameter|Connect Invalid SQE Parameter/, 'TARGET_NOT_FOUND'],
]

/** Whether the kernel's log speaks of authentication; names, of subsystems and hosts, may have anything in them. */
function isOfAuthentication(reason: string): boolean {
  return /auth/i.test(reason.replace(/"[^"]*"|\bnqn\.\S*/g, ''))
}

/** Errnos of a network, and ENOENT of Fibre Channel: no such port is in sight. */
const unreachable = [
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ECONNRESET', 'EADDRNOTAVAIL', 'ENODEV', 'ENOENT'],
]

/** A connect that the kernel reports as failed, in the words of this library. Errors that are none of a connect's stay. */
export function connectError(error: unknown, nqn: string, address: NvmeAddress): unknown {
  const code = codeOf(error)
  if (code === undefined) return error
  const { message, detail, code: errno } = error as SystemError
  return refused(code, detail === undefined || detail === '' ? message : detail, { nqn, address, errno, cause: error })
}

/** A controller that was not connected at first, for what the kernel's log says is the reason. */
export function notConnected(reason: string, nqn: string, address: NvmeAddress): BrickError {
  return refused(meaningOf(reason), reason === '' ? 'it could not be connected' : reason, { nqn, address })
}

function refused(
  code: ErrorCode,
  reason: string,
  { nqn, address, errno, cause }: { nqn: string; address: NvmeAddress; errno?: string; cause?: unknown },
): BrickError {
  const portal = formatAddress(address)
  return new BrickError(code, `${portal}, ${nqn}: ${reason}`, { details: { portal, subsystem: nqn, errno }, cause })
}

function codeOf(error: unknown): ErrorCode | undefined {
  if (!(error instanceof SystemError) || error.syscall !== 'write') return undefined
  const { detail = '' } = error
  if (failedWith(error, ...unreachable)) return isOfAuthentication(detail) ? 'AUTH_FAILED' : 'PORTAL_UNREACHABLE'
  if (failedWith(error, 'EKEYREJECTED', 'ENOKEY', 'EACCES')) return 'AUTH_FAILED'
  // The kernel has no such transport, or a transport has no such option.
  if (failedWith(error, 'EINVAL')) return detail.includes('no handler found') ? 'NOT_SUPPORTED' : 'INVALID_ARGUMENT'
  return failedWith(error, 'EIO') ? meaningOf(detail) : undefined
}

function meaningOf(reason: string): ErrorCode {
  const [, code] = refusals.find(([words]) => words.test(reason)) ?? []
  return code ?? (isOfAuthentication(reason) ? 'AUTH_FAILED' : 'LOGIN_FAILED')
}
