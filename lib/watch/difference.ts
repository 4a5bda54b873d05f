import type { BlockDevice } from '../inventory/block-device.ts'
import type { NvmeControllerState } from '../inventory/controllers.ts'
import { WalkedDevice } from '../inventory/walked-device.ts'
import { connectionErrorName } from '../iscsi/session-events.ts'
import type { ControllerChange, DeviceChange, HostChange, IscsiSession, PathChange, SessionChange } from './change.ts'
import type { PathState, Picture } from './picture.ts'

/**
 * What has changed between two pictures, in an order in which it can have happened: how sessions and controllers do, then
 * what goes, from the top down, then what comes, from the bottom up, and how paths do.
 *
 * @param errors the last connection error of each session, by its number, that the kernel told of meanwhile
 */
export function difference(before: Picture, after: Picture, errors: ReadonlyMap<number, number>): HostChange[] {
  const changes = [
    ...connectionErrors(before.sessions, after.sessions, errors),
    ...unlessSame(before.sessions, after.sessions, sessionChanges),
    ...unlessSame(before.controllers, after.controllers, controllerChanges),
    ...deviceChanges(before.devices, after.devices),
    ...unlessSame(before.paths, after.paths, pathChanges),
  ]
  return changes.sort((one, other) => placeOf(one) - placeOf(other))
}

/** Most events are about devices alone, and nothing else is looked at. */
function unlessSame<T, Change>(before: T, after: T, changes: (before: T, after: T) => Change[]): Change[] {
  return before === after ? [] : changes(before, after)
}

/** Of what happens at once, what is told first has the lowest. */
const places: {
  readonly [Kind in HostChange['kind']]: Readonly<Record<(HostChange & { kind: Kind })['change'], number>>
} = {
  session: { error: 0, state: 1, removed: 4, added: 5 },
  controller: { state: 1, removed: 4, added: 5 },
  path: { removed: 2, added: 8, failed: 8, reinstated: 8 },
  device: { removed: 3, added: 6, changed: 7 },
}

function placeOf({ kind, change }: HostChange): number {
  const ofKind: Readonly<Record<string, number>> = places[kind]
  return ofKind[change] ?? 0
}

function deviceChanges(before: readonly BlockDevice[], after: readonly BlockDevice[]): DeviceChange[] {
  return compare<BlockDevice, DeviceChange>(before, after, deviceKey, {
    gone: (device) => [{ kind: 'device', change: 'removed', device }],
    come: (device) => [{ kind: 'device', change: 'added', device }],
    kept: (was, device) => {
      const fields = changedFields(was, device)
      return fields.length === 0 ? [] : [{ kind: 'device', change: 'changed', device, before: was, fields }]
    },
  })
}

function changedFields(was: BlockDevice, device: BlockDevice): (keyof BlockDevice)[] {
  const known = was instanceof WalkedDevice && device instanceof WalkedDevice ? device.changedSince(was) : undefined
  if (known) return known
  const [before, after] = [plain(was), plain(device)]
  return Object.keys(after).filter((field) => {
    const [old, now] = [before[field], after[field]]
    return old !== now && JSON.stringify(old) !== JSON.stringify(now)
  }) as (keyof BlockDevice)[]
}

function plain(device: BlockDevice): Record<string, unknown> {
  return device instanceof WalkedDevice ? device.toJSON() : { ...device }
}

function sessionChanges(before: readonly IscsiSession[], after: readonly IscsiSession[]): SessionChange[] {
  return compare<IscsiSession, SessionChange>(before.filter(isMade), after.filter(isMade), ({ id }) => String(id), {
    gone: (session) => [{ kind: 'session', change: 'removed', session }],
    come: (session) => [{ kind: 'session', change: 'added', session }],
    kept: (was, session) =>
      was.state === session.state ? [] : [{ kind: 'session', change: 'state', session, before: was.state }],
  })
}

function controllerChanges(
  before: readonly NvmeControllerState[],
  after: readonly NvmeControllerState[],
): ControllerChange[] {
  // A controller's number is given again as soon as it is free.
  return compare<NvmeControllerState, ControllerChange>(before, after, ({ name, nqn }) => `${name} ${nqn}`, {
    gone: (controller) => [{ kind: 'controller', change: 'removed', controller }],
    come: (controller) => [{ kind: 'controller', change: 'added', controller }],
    kept: (was, controller) =>
      was.state === controller.state ? [] : [{ kind: 'controller', change: 'state', controller, before: was.state }],
  })
}

/** A session knows where it leads a moment after it was made, and nobody can do anything with one that does not. */
function isMade({ target, portal }: IscsiSession): boolean {
  return target !== '' && portal !== ''
}

function connectionErrors(
  before: readonly IscsiSession[],
  after: readonly IscsiSession[],
  errors: ReadonlyMap<number, number>,
): SessionChange[] {
  return [...errors].flatMap(([id, error]) => {
    const session = [...after, ...before].find((one) => one.id === id && isMade(one))
    return session ? [{ kind: 'session', change: 'error', session, error: connectionErrorName(error) } as const] : []
  })
}

function pathChanges(before: readonly PathState[], after: readonly PathState[]): PathChange[] {
  const working = (device: string): number => after.filter(({ map, working }) => map.path === device && working).length
  const told = ({ path, map }: PathState, ...changes: PathChange['change'][]): PathChange[] =>
    changes.map((change) => ({ kind: 'path', change, path, map, working: working(map.path) }))
  const key = ({ map, device }: PathState): string => `${map.path} ${map.wwid} ${deviceKey(device)}`
  return compare<PathState, PathChange>(before, after, key, {
    gone: (path) => told(path, 'removed'),
    come: (path) => (path.working ? told(path, 'added') : told(path, 'added', 'failed')),
    kept: (was, path) => {
      if (was.working && !path.working) return told(path, 'failed')
      if (!was.working && path.working) return told(path, 'reinstated')
      // It has failed and come back, unseen; a new table counts from 0.
      return path.working && path.failures > was.failures ? told(path, 'failed', 'reinstated') : []
    },
  })
}

/** A name is given again as soon as it is free, a disk's sequence number never. */
function deviceKey({ name, diskSequence, sysfs }: BlockDevice): string {
  return `${name} ${diskSequence ?? sysfs}`
}

interface Comparison<T, Change> {
  readonly gone: (was: T) => Change[]
  readonly come: (is: T) => Change[]
  readonly kept: (was: T, is: T) => Change[]
}

function compare<T, Change>(
  before: readonly T[],
  after: readonly T[],
  key: (item: T) => string,
  { gone, come, kept }: Comparison<T, Change>,
): Change[] {
  const left = new Map<string, T>()
  for (const item of before) left.set(key(item), item)
  const changes: Change[] = []
  for (const item of after) {
    const was = left.get(key(item))
    left.delete(key(item))
    changes.push(...(was === undefined ? come(item) : kept(was, item)))
  }
  for (const was of left.values()) changes.push(...gone(was))
  return changes
}
