import type { BrickError } from '../errors.ts'
import { lock, lockShared } from '../lock.ts'
import { resolve } from '../network/resolve.ts'
import type { Operation } from '../operation.ts'
import type { IscsiProperties, IscsiTarget } from '../properties/iscsi.ts'
import { Rollback, undoLocked, undone } from '../rollback.ts'
import type { Leftover } from '../rollback.ts'
import { bringUp } from '../volume/bring-up.ts'
import type { PathUp } from '../volume/connect.ts'
import { asGuess, refuseOther } from '../volume/guess.ts'
import { openSession, targetKey } from './session-control.ts'
import type { OpenSession } from './session-control.ts'
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
  const { session, stays, share, rollback } = await enter(target, credentials, patience, operation)
  using _share = share
  const units = new Rollback()
  const key = targetKey(target)
  try {
    const unit = unitOf(session, target.lun)
    if (target.guessed) await operation.step('find', (signal) => refuseOther(unit, wwn, signal))
    const disk = await bringUp(unit, wwn, operation, units)
    return { way: target, unit, ...disk, undo: () => undoLocked(key, [units, rollback], operation) }
  } catch (error) {
    throw await failed(target, error, async () => {
      const leftovers = await units.run(operation)
      share[Symbol.dispose]()
      return stays() ? leftovers : [...leftovers, ...(await undoLocked(key, [rollback], operation))]
    })
  }
}

interface Entered extends OpenSession {
  /** While this is held nobody ends the session. */
  readonly share: Disposable
  /** Of the session, if this call has opened it. */
  readonly rollback: Rollback
}

/** Others wait until there is a session, and not until it has a unit: many units come to it at once. */
async function enter(
  target: IscsiTarget,
  credentials: IscsiProperties['credentials'],
  patience: AbortSignal,
  operation: Operation,
): Promise<Entered> {
  const key = targetKey(target)
  using _turn = await operation.step('lock', (signal) => lock(key, signal))
  const rollback = new Rollback()
  try {
    const opened = await openSession(target, credentials, patience, operation, rollback)
    return { ...opened, rollback, share: await operation.step('lock', (signal) => lockShared(key, signal)) }
  } catch (error) {
    throw await failed(target, error, () => rollback.run(operation))
  }
}

async function failed(target: IscsiTarget, error: unknown, undo: () => Promise<Leftover[]>): Promise<BrickError> {
  const failure = await undone(error, 'attach', undo)
  return target.guessed ? asGuess(failure) : failure
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
