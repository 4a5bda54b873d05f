import { BrickError } from '../errors.ts'
import { matchesWwn } from '../scsi/identity.ts'
import { findDisk, notedIdentity } from '../scsi/unit.ts'
import type { UnitAddress } from '../scsi/unit.ts'

// Ways that the properties do not name: what is there may be another volume, which is nobody's mistake.

/** What is there already and is another volume is no business of ours, leftover or not. */
export async function refuseOther(unit: UnitAddress, wwn: string | undefined, signal: AbortSignal): Promise<void> {
  if ((await findDisk(unit, signal)) === undefined) return
  const noted = await notedIdentity(unit, signal)
  if (wwn === undefined || !matchesWwn(noted, wwn)) {
    throw new BrickError('IDENTITY_MISMATCH', `${unit.hctl} is ${noted.key ?? 'nothing'}, not ${wwn ?? 'known'}`)
  }
}

/** Whether such a way has turned out to be none, as it shows nothing or another volume: then it is no way that is missing. */
export function isWrongGuess(way: object, { code }: BrickError): boolean {
  return 'guessed' in way && way.guessed === true && code === 'LUN_NOT_MAPPED'
}

/** The failure of such a way. It proves nothing wrong by showing another volume. */
export function asGuess(error: BrickError): BrickError {
  if (error.code !== 'IDENTITY_MISMATCH') return error
  const { step, details } = error
  return new BrickError('LUN_NOT_MAPPED', `not the volume: ${error.message}`, {
    step,
    details,
    cause: error,
    retryable: false,
  })
}
