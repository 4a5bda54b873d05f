import { lock } from '../lock.ts'
import { asBrickError } from '../operation.ts'
import type { Operation } from '../operation.ts'
import type { IscsiProperties, IscsiTarget } from '../properties/iscsi.ts'
import { Rollback, undoLocked, withLeftovers } from '../rollback.ts'
import { bringUp } from '../volume/bring-up.ts'
import type { PathUp } from '../volume/connect.ts'
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
  target: IscsiTarget,
  patience: AbortSignal,
  operation: Operation,
): Promise<IscsiPath> {
  using _target = await operation.step('lock', (signal) => lock(targetKey(target), signal))
  const rollback = new Rollback()
  try {
    const session = await openSession(target, credentials, patience, operation, rollback)
    const unit = unitOf(session, target.lun)
    const disk = await bringUp(unit, wwn, operation, rollback)
    return { way: target, unit, ...disk, undo: () => undoLocked(targetKey(target), rollback, operation) }
  } catch (error) {
    throw withLeftovers(asBrickError(error, 'attach'), await rollback.run(operation))
  }
}

/** All calls for one volume meet here, whichever of its targets they name first. */
export function volumeKey({ targets }: IscsiProperties): string {
  const units = targets.map(({ iqn, lun }) => `${iqn.toLowerCase()} ${lun}`).sort()
  return `volume iscsi ${units[0] ?? ''}`
}
