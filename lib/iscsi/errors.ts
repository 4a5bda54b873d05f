import { BrickError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'

/** What open-iscsi's error numbers mean, which are iscsiadm's exit codes too (include/iscsi_err.h). */
const meanings: Readonly<Record<number, ErrorCode>> = {
  4: 'PORTAL_UNREACHABLE',
  5: 'LOGIN_FAILED',
  8: 'PORTAL_UNREACHABLE',
  11: 'LOGIN_FAILED',
  12: 'NOT_SUPPORTED',
  13: 'PERMISSION_DENIED',
  18: 'NOT_SUPPORTED',
  // A login that is not to be tried again. The login probe has found the target there, so it is a matter of who may
  // log in: a target that does not know its own secret ends here, too.
  19: 'AUTH_FAILED',
  20: 'NOT_SUPPORTED',
  24: 'AUTH_FAILED',
  // iscsid.safe_logout: something on the session is mounted.
  28: 'DEVICE_IN_USE',
}

/** A failure that open-iscsi reports; `number` is undefined when it gave none. */
export function iscsiError(
  number: number | undefined,
  message: string,
  details: Record<string, unknown> = {},
): BrickError {
  const code = number === undefined ? undefined : meanings[number]
  const shown = number === undefined ? message : `${message} (open-iscsi error ${number})`
  return new BrickError(code ?? 'TOOL_FAILED', shown, { details: { ...details, openIscsiError: number ?? null } })
}
