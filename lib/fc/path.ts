import { lock } from '../lock.ts'
import { asBrickError } from '../operation.ts'
import type { Operation } from '../operation.ts'
import type { FibreChannelProperties } from '../properties/fibre-channel.ts'
import { Rollback, undoLocked, withLeftovers } from '../rollback.ts'
import { remove } from '../scsi/unit.ts'
import type { UnitAccess, UnitAddress } from '../scsi/unit.ts'
import { bringUp } from '../volume/bring-up.ts'
import type { PathUp } from '../volume/connect.ts'
import { asGuess, refuseOther } from '../volume/guess.ts'
import type { Architecture } from './architecture.ts'
import { requireUsable, unitAt } from './routes.ts'
import type { Route } from './routes.ts'

/** A disk behind a port of the backend. */
export type FibreChannelPath = PathUp<Route>

/** Milliseconds for which a unit that may still come up is looked after once its attach has failed. */
const latePatience = 120_000

/**
 * Brings the volume's disk by one way. A failure leaves nothing changed.
 *
 * @param patience for how long the kernel may look for the unit
 */
export async function bringPath(
  { wwn }: FibreChannelProperties,
  route: Route,
  architecture: Architecture,
  patience: AbortSignal,
  operation: Operation,
): Promise<FibreChannelPath> {
  const { own, remote } = requireUsable(route)
  const unit = unitAt(remote, route.target.lun)
  const access = architecture.access(own, route.target)
  const key = placeKey(route)
  const place = await operation.step('lock', (signal) => lock(key, signal))
  const rollback = new Rollback()
  let settled: Promise<void> | undefined
  try {
    if (route.guessed) await operation.step('find', (signal) => refuseOther(unit, wwn, signal))
    const disk = await bringUp(unit, wwn, operation, rollback, { access, patience })
    return { way: route, unit, ...disk, undo: () => undoLocked(key, [rollback], operation) }
  } catch (error) {
    const leftovers = await rollback.run(operation)
    if (leftovers.length > 0) settled = removeLate(unit, access)
    const failure = asBrickError(error, 'attach')
    throw withLeftovers(route.guessed ? asGuess(failure) : failure, leftovers)
  } finally {
    void Promise.resolve(settled).then(() => {
      place[Symbol.dispose]()
    })
  }
}

/**
 * The kernel cannot be told to stop looking for a unit, and may find it long after its caller gave up. Deletions wait
 * behind that in the host's lane, and so take what comes late; until then nobody else is to look at this place.
 */
async function removeLate(unit: UnitAddress, access: UnitAccess): Promise<void> {
  const signal = AbortSignal.timeout(latePatience)
  try {
    await remove(unit, signal)
    await access.forget(unit, signal)
  } catch {
    // Said to the caller already: it is among what could not be undone.
  }
}

/** All calls for one volume meet here, whichever of its ports they name first. */
export function volumeKey({ targets }: FibreChannelProperties): string {
  const units = targets.map(({ portName, lun }) => `${portName} ${lun}`).sort()
  return `volume fc ${units[0] ?? ''}`
}

/** Held while a unit is looked for, until it is proven or has gone again. */
function placeKey({ target: { portName, lun }, own }: Route): string {
  return `target fc ${own?.host ?? ''} ${portName} ${lun}`
}
