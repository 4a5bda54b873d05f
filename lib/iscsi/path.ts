import { lock } from '../lock.ts'
import { asBrickError } from '../operation.ts'
import type { Operation } from '../operation.ts'
import type { IscsiProperties, IscsiTarget } from '../properties/iscsi.ts'
import { Rollback, withLeftovers } from '../rollback.ts'
import type { Leftover } from '../rollback.ts'
import type { UnitAddress } from '../scsi/unit.ts'
import { bringUp } from '../volume/bring-up.ts'
import type { ProvenDisk } from '../volume/bring-up.ts'
import { formatPortal } from './portal.ts'
import type { TargetPortal } from './portal.ts'
import { openSession } from './session-control.ts'
import { unitOf } from './sessions.ts'

/** One way to a volume that is up: a disk of a session, proven to be the volume. */
export interface IscsiPath extends ProvenDisk {
  readonly target: IscsiTarget
  readonly unit: UnitAddress
  /** Takes back what bringing it up has changed. */
  undo(): Promise<Leftover[]>
}

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
    return { target, unit, ...disk, undo: () => undo(target, rollback, operation) }
  } catch (error) {
    throw withLeftovers(asBrickError(error, 'attach'), await rollback.run(operation))
  }
}

async function undo(target: IscsiTarget, rollback: Rollback, operation: Operation): Promise<Leftover[]> {
  const step = 'undo lock'
  const held: Disposable[] = []
  try {
    await operation.cleanup(step, async (signal) => {
      held.push(await lock(targetKey(target), signal))
    })
    return await rollback.run(operation)
  } catch (error) {
    return [{ step, error }]
  } finally {
    for (const release of held) release[Symbol.dispose]()
  }
}

/** All calls for one volume meet here, whichever of its targets they name first. */
export function volumeKey({ targets }: IscsiProperties): string {
  const units = targets.map(({ iqn, lun }) => `${iqn.toLowerCase()} ${lun}`).sort()
  return `volume iscsi ${units[0] ?? ''}`
}

/** Held from before a login until a unit of ours is in the session, and while an empty session is closed. */
export function targetKey({ portal, iqn }: TargetPortal): string {
  return `target iscsi ${iqn.toLowerCase()} ${formatPortal(portal)}`
}
