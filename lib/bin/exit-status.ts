import { constants } from 'node:os'
import type { ErrorCode } from '../errors.ts'

interface ExitStatus {
  readonly status: number
  readonly means: string
  /** The failures that end with it. */
  readonly codes: readonly ErrorCode[]
}

/** How the command may end, by the class of what went wrong. Scripts rely on it. */
export const exitStatuses: readonly ExitStatus[] = [
  { status: 0, means: 'Done. Of a detach also when there was nothing to detach.', codes: [] },
  {
    status: 1,
    means: 'The kernel, a daemon or a program failed in a way that has no status of its own.',
    codes: ['SYSTEM', 'TOOL_FAILED'],
  },
  {
    status: 2,
    means: 'The command line or the connection properties are wrong. Nothing was touched.',
    codes: ['INVALID_ARGUMENT'],
  },
  { status: 3, means: 'Something was found by audit, or does not work of what doctor was asked for.', codes: [] },
  {
    status: 4,
    means: 'This host lacks something, or this process may not do it: see hostbrick doctor.',
    codes: ['NOT_SUPPORTED', 'PERMISSION_DENIED'],
  },
  {
    status: 5,
    means: 'The volume cannot be reached, is not shown to this host, or is not as it was asked for.',
    codes: [
      ...(['PORTAL_UNREACHABLE', 'TARGET_NOT_FOUND', 'LOGIN_FAILED', 'LUN_NOT_MAPPED'] as const),
      ...(['DEVICE_NOT_FOUND', 'MULTIPATH_FAILED', 'NOT_EXTENDED'] as const),
    ],
  },
  { status: 6, means: 'The credentials were refused.', codes: ['AUTH_FAILED'] },
  {
    status: 7,
    means: 'The device is not the volume that it should be. It was left alone.',
    codes: ['IDENTITY_MISMATCH'],
  },
  {
    status: 8,
    means: 'The device is in use, cannot be written out, or is being worked on by another program.',
    codes: ['DEVICE_IN_USE', 'FLUSH_FAILED', 'BUSY'],
  },
  { status: 124, means: 'The time was over. What had been done is undone.', codes: ['TIMEOUT'] },
  { status: 130, means: 'Interrupted (SIGINT; 143 by SIGTERM). What had been done is undone.', codes: ['ABORTED'] },
]

export function exitStatusOf(code: ErrorCode): number {
  return exitStatuses.find(({ codes }) => codes.includes(code))?.status ?? 1
}

/** As a shell reports a program that a signal has ended. */
export function exitStatusOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
