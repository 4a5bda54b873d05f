import { lock } from '../lock.ts'
import { resolve } from '../network/resolve.ts'
import type { Operation } from '../operation.ts'
import type { IscsiProperties, IscsiTarget } from '../properties/iscsi.ts'
import { Rollback, undoLocked, undone } from '../rollback.ts'
import { bringUp } from '../volume/bring-up.ts'
import type { PathUp } from '../volume/connect.ts'
import { asGuess, refuseOther } from '../volume/guess.ts'
import { openSession, targetKey } from './session-control.ts'
import { unitOf } from './sessions.ts'

/** A disk of a session. */
export type IscsiPath = PathUp<IscsiTarget>

/**
 * Logs in to one of a volume's targets, if need be, and brings the volume's disk. A failure leaves nothing changed.
 *
 * @param patience for how long the portal may take to answer
 */
export async function bringPath(
  { credentials, wwn }: IscsiProperties,
  named: IscsiTarget,
  patience: AbortSignal,
  operation: Operation,
): Promise<IscsiPath> {
  const target = named.portal.family === 'name' ? await resolved(named, patience, operation) : named
  using _target = await operation.step('lock', (signal) => lock(targetKey(target), signal))
  const rollback = new Rollback()
  try {
    const session = await openSession(target, credentials, patience, operation, rollback)
    const unit = unitOf(session, target.lun)
    if (target.guessed) await operation.step('find', (signal) => refuseOther(unit, wwn, signal))
    const disk = await bringUp(unit, wwn, operation, rollback)
    return { way: target, unit, ...disk, undo: () => undoLocked(targetKey(target), rollback, operation) }
  } catch (error) {
    const failure = await undone(error, 'attach', () => rollback.run(operation))
    throw target.guessed ? asGuess(failure) : failure
  }
}

/** With an address, which its host name may have by now. @throws BrickError PORTAL_UNREACHABLE */
async function resolved(target: IscsiTarget, patience: AbortSignal, operation: Operation): Promise<IscsiTarget> {
  const [portal = target.portal] = await operation.step('resolve', () => resolve(target.portal, patience))
  return { ...target, portal }
}

/** All calls for one volume meet here, whichever of its targets they name first. */
export function volumeKey({ targets }: IscsiProperties): string {
  const units = targets.map(({ iqn, lun }) => `${iqn.toLowerCase()} ${lun}`).sort()
  return `volume iscsi ${units[0] ?? ''}`
}
