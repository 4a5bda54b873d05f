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
  const paths = pathChanges(before.paths, after.paths)
  const devices = deviceChanges(before.devices, after.devices)
  const [sessionsBefore, sessionsAfter] = [before.sessions.filter(isMade), after.sessions.filter(isMade)]
  const sessions = sessionChanges(sessionsBefore, sessionsAfter)
  const controllers = controllerChanges(before.controllers, after.controllers)
  const connections = [...sessions, ...controllers]
  return [
    ...connectionErrors([...sessionsAfter, ...sessionsBefore], errors),
    ...connections.filter(({ change }) => change === 'state'),
    ...[...paths, ...devices, ...connections].filter(({ change }) => change === 'removed'),
    ...[...connections, ...devices].filter(({ change }) => change === 'added'),
    ...devices.filter(({ change }) => change === 'changed'),
    ...paths.filter(({ change }) => change !== 'removed'),
  ]
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
  return compare<IscsiSession, SessionChange>(before, after, ({ id }) => String(id), {
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

function connectionErrors(sessions: readonly IscsiSession[], errors: ReadonlyMap<number, number>): SessionChange[] {
  return [...errors].flatMap(([id, error]) => {
    const session = sessions.find((one) => one.id === id)
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
  if (before.length + after.length === 0) return []
  const left = new Map(before.map((item) => [key(item), item]))
  const present = after.flatMap((item) => {
    const was = left.get(key(item))
    left.delete(key(item))
    return was === undefined ? come(item) : kept(was, item)
  })
  return [...[...left.values()].flatMap(gone), ...present]
}
