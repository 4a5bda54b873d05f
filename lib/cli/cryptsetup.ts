import { BrickError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import type { Secret } from '../properties/secret.ts'
import { run } from './run.ts'

/** What cryptsetup ends with (cryptsetup(8), return codes), as errors of ours. */
const codes: Readonly<Record<number, ErrorCode>> = { 2: 'AUTH_FAILED', 4: 'DEVICE_NOT_FOUND', 5: 'DEVICE_IN_USE' }
const noSuchMapping = 4

export interface LuksFormat {
  readonly type: 'luks1' | 'luks2'
  readonly cipher?: string | undefined
  /** Bits. */
  readonly keySize?: number | undefined
}

/** Writes a LUKS header, whatever is there now. */
export async function luksFormat(
  device: string,
  { type, cipher, keySize }: LuksFormat,
  key: Secret,
  signal: AbortSignal,
): Promise<void> {
  const choices = [
    ...(cipher === undefined ? [] : ['--cipher', cipher]),
    ...(keySize === undefined ? [] : ['--key-size', String(keySize)]),
  ]
  await cryptsetup(['luksFormat', '--batch-mode', '--type', type, ...choices, ...keyOnInput, device], signal, key)
}

export async function luksOpen(device: string, name: string, key: Secret, signal: AbortSignal): Promise<void> {
  await cryptsetup(['open', '--type', 'luks', ...keyOnInput, device, name], signal, key)
}

/** Makes an open mapping as large as its device. */
export async function luksResize(name: string, key: Secret, signal: AbortSignal): Promise<void> {
  await cryptsetup(['resize', ...keyOnInput, name], signal, key)
}

/** A mapping that is not there is fine. */
export async function luksClose(name: string, signal: AbortSignal): Promise<void> {
  await cryptsetup(['close', name], signal, undefined, [0, noSuchMapping])
}

/** All that comes on standard input, to its end. Arguments can be read by every user of the host. */
const keyOnInput = ['--key-file', '-']

/** Whether this is a failure that cryptsetup has reported. Of one that was killed nobody knows what it has done. */
export function hasFailed(error: unknown): boolean {
  return error instanceof BrickError && Number(error.details['code'] ?? -1) > 0
}

async function cryptsetup(
  parameters: readonly string[],
  signal: AbortSignal,
  key?: Secret,
  accepted: readonly number[] = [0],
): Promise<void> {
  const { code, error } = await run('cryptsetup', parameters, signal, key?.reveal())
  if (accepted.includes(code)) return
  throw new BrickError(codes[code] ?? 'TOOL_FAILED', `cryptsetup: ${error.trim()}`, {
    details: { program: 'cryptsetup', parameters, code },
  })
}
