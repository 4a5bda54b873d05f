import { inspect } from 'node:util'

/**
 * What can go wrong, by its stable code: what it means, and whether the same call can succeed later without anybody
 * changing its arguments.
 */
export const errorCodes = {
  /** An argument or a connection property is missing, malformed or contradictory. Nothing was touched. */
  INVALID_ARGUMENT: { retryable: false },
  /** The caller's AbortSignal fired; `cause` is its reason. */
  ABORTED: { retryable: true },
  /** The call's `timeout` passed. */
  TIMEOUT: { retryable: true },
  /** The portal does not answer. */
  PORTAL_UNREACHABLE: { retryable: true },
  /** The portal answers, but has no such target for this initiator; retryable when it says that this may change. */
  TARGET_NOT_FOUND: { retryable: false },
  /** The target refused the credentials, or they do not match what it asks for; a key opens no slot of a LUKS volume. */
  AUTH_FAILED: { retryable: false },
  /** The target or the initiator daemon refused or dropped the login for another reason, or does not keep to the protocol. */
  LOGIN_FAILED: { retryable: true },
  /** The target is logged in, but does not show the logical unit to this host. */
  LUN_NOT_MAPPED: { retryable: true },
  /** The volume has no device on this host. */
  DEVICE_NOT_FOUND: { retryable: true },
  /** The device is not the volume it should be, or does not say what it is. It was left alone. */
  IDENTITY_MISMATCH: { retryable: false },
  /** The device is mounted, held by another device or open exclusively. It was left alone. */
  DEVICE_IN_USE: { retryable: true },
  /** Another program holds a lock that this call needs. */
  BUSY: { retryable: true },
  /** multipathd is not running, or makes no map of the volume's paths. */
  MULTIPATH_FAILED: { retryable: true },
  /** The device's data could not be written out; without `force` nothing was removed. */
  FLUSH_FAILED: { retryable: true },
  /** The volume is smaller than the call expects. */
  NOT_EXTENDED: { retryable: true },
  /** This host lacks what the call needs: a module, a device node, a daemon or a program. */
  NOT_SUPPORTED: { retryable: false },
  /** The kernel refused for want of privileges. */
  PERMISSION_DENIED: { retryable: false },
  /** A program that hostbrick called failed in a way that has no code of its own. */
  TOOL_FAILED: { retryable: true },
  /** A system call failed in a way that has no code of its own; `cause` has errno, syscall and path. */
  SYSTEM: { retryable: true },
} as const satisfies Record<string, { retryable: boolean }>

export type ErrorCode = keyof typeof errorCodes

export interface BrickErrorOptions {
  /** The step of the call that failed, as `timings` names it. */
  step?: string | undefined
  /** Evidence: plain JSON, never a secret. */
  details?: Readonly<Record<string, unknown>>
  cause?: unknown
  retryable?: boolean
}

/** Every failure of hostbrick. `code` is API, the message is for people. */
export class BrickError extends Error {
  override readonly name = 'BrickError'
  readonly code: ErrorCode
  readonly step: string | undefined
  readonly retryable: boolean
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: BrickErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.step = options.step
    this.retryable = options.retryable ?? errorCodes[code].retryable
    this.details = options.details ?? {}
  }

  /** The same failure with more evidence. */
  withDetails(details: Readonly<Record<string, unknown>>): BrickError {
    const { code, message, step, retryable } = this
    return new BrickError(code, message, { step, retryable, details: { ...this.details, ...details }, cause: this })
  }
}

/** An argument is not what it should be: names the field and shows the value, which must not be a secret. */
export function invalid(field: string, expected: string, value: unknown): BrickError {
  const shown = inspect(value)
  return new BrickError('INVALID_ARGUMENT', `${field}: expected ${expected}, got ${shown}`, {
    details: { field, value: shown },
  })
}
