import { inspect } from 'node:util'

interface ErrorFacts {
  readonly meaning: string
  /** Whether the same call can succeed later without anybody changing its arguments, unless the error itself says otherwise. */
  readonly retryable: boolean
  /** The gRPC status that a CSI node plugin answers with. ABORTED is CSI's for a volume that something else is busy with. */
  readonly csi: string
}

/** What can go wrong, by its stable code. The documentation's tables are checked against this one. */
export const errorCodes = {
  INVALID_ARGUMENT: {
    meaning: 'an argument or property is missing, malformed or contradictory; nothing was touched',
    retryable: false,
    csi: 'INVALID_ARGUMENT',
  },
  ABORTED: {
    meaning: "the caller's signal fired; `cause` is its reason",
    retryable: true,
    csi: 'CANCELLED',
  },
  TIMEOUT: {
    meaning: "the call's time was over",
    retryable: true,
    csi: 'DEADLINE_EXCEEDED',
  },
  PORTAL_UNREACHABLE: {
    meaning: 'the portal does not answer',
    retryable: true,
    csi: 'UNAVAILABLE',
  },
  TARGET_NOT_FOUND: {
    meaning: 'the portal has no such target for this host; retryable when it says that this may change',
    retryable: false,
    csi: 'NOT_FOUND',
  },
  AUTH_FAILED: {
    meaning: 'the target refused the credentials, or the key opens no slot of a LUKS volume',
    retryable: false,
    csi: 'UNAUTHENTICATED',
  },
  LOGIN_FAILED: {
    meaning: 'the login or discovery failed for another reason',
    retryable: true,
    csi: 'UNAVAILABLE',
  },
  LUN_NOT_MAPPED: {
    meaning: 'the target does not show the unit to this host',
    retryable: true,
    csi: 'UNAVAILABLE',
  },
  DEVICE_NOT_FOUND: {
    meaning: 'the volume has no device on this host',
    retryable: true,
    csi: 'UNAVAILABLE',
  },
  IDENTITY_MISMATCH: {
    meaning: 'the device is not the volume, or does not say what it is; it was left alone',
    retryable: false,
    csi: 'FAILED_PRECONDITION',
  },
  DEVICE_IN_USE: {
    meaning: 'the device is mounted, held or open exclusively; without `force` it was left alone',
    retryable: true,
    csi: 'FAILED_PRECONDITION',
  },
  MULTIPATH_FAILED: {
    meaning: "multipathd is not running, or makes no map of the volume's paths",
    retryable: true,
    csi: 'UNAVAILABLE',
  },
  BUSY: {
    meaning: 'another program holds a lock that is needed',
    retryable: true,
    csi: 'ABORTED',
  },
  FLUSH_FAILED: {
    meaning: "the device's data could not be written out; without `force` nothing was removed",
    retryable: true,
    csi: 'INTERNAL',
  },
  NOT_EXTENDED: {
    meaning: 'the volume is smaller than expected',
    retryable: true,
    csi: 'UNAVAILABLE',
  },
  NOT_SUPPORTED: {
    meaning: 'the host lacks a module, device node, daemon or program',
    retryable: false,
    csi: 'FAILED_PRECONDITION',
  },
  PERMISSION_DENIED: {
    meaning: 'the kernel refused for want of privileges',
    retryable: false,
    csi: 'PERMISSION_DENIED',
  },
  TOOL_FAILED: {
    meaning: 'a program that was called failed in a way that has no code of its own',
    retryable: true,
    csi: 'INTERNAL',
  },
  SYSTEM: {
    meaning: 'a system call failed in a way that has no code of its own; `details` has errno, syscall and path',
    retryable: true,
    csi: 'INTERNAL',
  },
} as const satisfies Record<string, ErrorFacts>

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
