import { orAborted } from '../abort.ts'
import { BrickError } from '../errors.ts'
import { initiatorName } from '../host/initiator-name.ts'
import { lockAlone } from '../lock.ts'
import type { Operation } from '../operation.ts'
import type { ChapCredentials } from '../properties/iscsi.ts'
import type { Rollback } from '../rollback.ts'
import { isReplaced, removePath } from '../scsi/paths.ts'
import type { ScsiPath } from '../scsi/paths.ts'
import { takeOffline } from '../scsi/unit.ts'
import { together } from '../together.ts'
import { probeLogin } from './login-probe.ts'
import { openInitiator } from './initiator.ts'
import { tcp } from './interface.ts'
import type { Initiator, RecordDraft } from './open-iscsi.ts'
import type { TargetPortal } from './portal.ts'
import { sessionSettings } from './node-settings.ts'
import type { NodeSettings } from './node-settings.ts'
import { formatPortal } from './portal.ts'
import { leadsTo, readSessions, sharesPortal } from './sessions.ts'
import type { Session } from './sessions.ts'

/** A session that serves commands. */
export interface OpenSession {
  readonly session: Session
  /** Whether it stays when what this call does is undone: it was there before, and nobody has left it to its last user. */
  readonly stays: () => boolean
}

/**
 * The session to a portal of a target: the one that is there, or a new one, if the portal answers before `patience` ends.
 *
 * @throws BrickError PORTAL_UNREACHABLE, TARGET_NOT_FOUND, AUTH_FAILED, LOGIN_FAILED
 */
export async function openSession(
  target: TargetPortal,
  credentials: ChapCredentials | undefined,
  patience: AbortSignal,
  operation: Operation,
  rollback: Rollback,
): Promise<OpenSession> {
  const sessions = await operation.step('sessions', readSessions)
  const existing = bestOf(sessions, target)
  if (existing) {
    rollback.add('session', (late) => endAbandoned(existing.id, late))
    return { session: usable(existing, target), stays: () => !abandoned.has(existing.id) }
  }

  const settings = sessionSettings(credentials, operation.remaining)
  const [, { initiator, putBack, draft }] = await together([
    operation.step('portal', (signal) => probe(target, signal, patience)),
    operation.step('draft', (signal) => draftRecord(target, settings, signal)),
  ])
  rollback.add('record', async (late) => {
    const session = await findSession(target, late)
    if (session === undefined || session.units.length === 0) {
      await putBack(late)
      return
    }
    // Another volume is in the session by now.
    abandoned.set(session.id, async (empty, later) => {
      await initiator.sessions.logout(empty, later)
      await putBack(later)
    })
  })
  await operation.step('record', (signal) => draft.write(signal))
  const session = await operation.step('login', (signal) => {
    return login(target, initiator, draft.settings, rollback, signal)
  })
  // A portal has one record. It stays that of the session which was there first, over another interface.
  if (sessions.some((other) => sharesPortal(other, target))) await operation.step('record', putBack)
  return { session, stays: () => false }
}

/**
 * Sessions of attaches that have failed when others were in them already, and how they end: these may fail as well, and
 * then the last one of them leaves it empty.
 */
const abandoned = new Map<number, (empty: Session, signal: AbortSignal) => Promise<void>>()

async function endAbandoned(id: number, signal: AbortSignal): Promise<void> {
  const end = abandoned.get(id)
  if (end === undefined) return
  const sessions = await readSessions(signal)
  const session = sessions.find((one) => one.id === id)
  if (session && session.units.length > 0) return
  abandoned.delete(id)
  if (session) await end(session, signal)
}

/** Where routing leads: an interface with a record of its own may lead elsewhere, and RDMA is not TCP. */
async function probe(target: TargetPortal, signal: AbortSignal, patience: AbortSignal): Promise<void> {
  const { over = tcp } = target
  if (over.name === tcp.name) await probeLogin(target, await initiatorName(signal), patience)
}

async function findSession(target: TargetPortal, signal: AbortSignal): Promise<Session | undefined> {
  const sessions = await readSessions(signal)
  return bestOf(sessions, target)
}

/** The session to the target, of several one that works. */
function bestOf(sessions: readonly Session[], target: TargetPortal): Session | undefined {
  const leading = sessions.filter((session) => leadsTo(session, target))
  return leading.find(({ state }) => state === 'LOGGED_IN') ?? leading[0]
}

function usable(session: Session, target: TargetPortal): Session {
  if (session.state === 'LOGGED_IN') return session
  const { id, state } = session
  throw new BrickError(
    'LOGIN_FAILED',
    `session ${id} to ${formatPortal(target.portal)} is ${state}: iscsid is recovering it`,
    {
      details: { session: id, state },
    },
  )
}

/** What can be done of a record before it is known whether it will be written. */
async function draftRecord(
  target: TargetPortal,
  settings: NodeSettings,
  signal: AbortSignal,
): Promise<{ initiator: Initiator; putBack: (late: AbortSignal) => Promise<void>; draft: RecordDraft }> {
  const initiator = await openInitiator(target, signal)
  const { records } = initiator
  const [putBack, draft] = await together([records.keep(target, signal), records.draft(target, settings, signal)])
  return { initiator, putBack, draft }
}

/**
 * iscsid cannot be told to forget a login that it has begun. So an aborted one is left to end by itself, and undoing it
 * waits for that: a session that comes up late goes again.
 */
async function login(
  target: TargetPortal,
  initiator: Initiator,
  record: NodeSettings | null,
  rollback: Rollback,
  signal: AbortSignal,
): Promise<Session> {
  const giveUp = new AbortController()
  const outcome = initiator.sessions.login(target, record, giveUp.signal)
  const settled = outcome.then(
    () => undefined,
    () => undefined,
  )
  rollback.add('login', async (late) => {
    try {
      await orAborted(settled, late)
    } finally {
      giveUp.abort(new BrickError('ABORTED', 'the login took longer than undoing it may'))
    }
    const session = await findSession(target, late)
    // Another program may have found the session meanwhile, and use it.
    if (session?.units.length === 0) await initiator.sessions.logout(session, late)
  })
  await orAborted(outcome, signal)
  const session = await findSession(target, signal)
  if (session) return usable(session, target)
  throw new BrickError('LOGIN_FAILED', `no session to ${formatPortal(target.portal)} after the login`)
}

/** A portal of a target, with a volume's disks in the sessions to it. */
export interface Place {
  readonly target: TargetPortal
  readonly paths: readonly ScsiPath[]
  /** Whether all sessions that have them are logged in. */
  readonly connected: boolean
  /** Whether all sessions that have them have other volumes, too. */
  readonly shared: boolean
}

/**
 * Takes a volume's disks out of sessions that have other volumes. False when there is more to leave than that. This keeps
 * nobody from the target: of many who leave it at once, the last one finds its session empty.
 */
export async function leaveToOthers(
  { target, paths, connected, shared }: Place,
  flushed: boolean,
  operation: Operation,
): Promise<boolean> {
  if (!flushed || !connected || !shared || paths.length === 0) return false
  await deletePaths(paths, operation)
  const sessions = (await operation.step('sessions', readSessions)).filter((session) => leadsTo(session, target))
  return sessions.length > 0 && sessions.every(({ units }) => units.length > 0)
}

/**
 * Takes a volume's disks off this host, and the sessions with them that have no other unit. Forgets the portal when no
 * session to it remains, over whatever interface.
 *
 * @param flushed whether all is written; if not, the disks are made to fail what is still to be written
 */
export async function leave(place: Place, flushed: boolean, operation: Operation): Promise<void> {
  const { paths, connected } = place
  if (flushed && connected) {
    // A logout takes its disks along, but deleted at the same time they are gone earlier; and that is nobody else's matter.
    await together([deletePaths(paths, operation), endSessions(place, [], operation)])
    return
  }
  // To delete a disk the kernel waits for its target, which may be dead; to end a session it does not.
  await takeAllOffline(paths, operation)
  await endSessions(place, paths, operation)
}

/** Takes disks off this host without regard to sessions. */
export async function leaveStrays(paths: readonly ScsiPath[], flushed: boolean, operation: Operation): Promise<void> {
  if (paths.length === 0) return
  if (!flushed) await takeAllOffline(paths, operation)
  await deletePaths(paths, operation)
}

/** @param remaining disks that are deleted if they do not go with a session */
async function endSessions(
  { target, paths }: Place,
  remaining: readonly ScsiPath[],
  operation: Operation,
): Promise<void> {
  using _target = await operation.step('lock', (signal) => lockAlone(targetKey(target), signal))
  const [initiator, all, replaced] = await together([
    operation.step('record', (signal) => openInitiator(target, signal)),
    operation.step('sessions', readSessions),
    operation.step('sessions', (signal) => Promise.all(paths.map((path) => isReplaced(path, signal)))),
  ])
  const sessions = all.filter((session) => sharesPortal(session, target))
  const own = paths.filter((_, index) => replaced[index] !== true)
  const unused = sessions.filter(
    (session) =>
      leadsTo(session, target) && session.units.every(({ hctl }) => own.some(({ unit }) => unit.hctl === hctl)),
  )
  for (const { id } of unused) abandoned.delete(id)
  const staying = remaining.filter((path) => !unused.some(({ id }) => id === path.session))
  await together([
    ...(staying.length > 0 ? [deletePaths(staying, operation)] : []),
    ...unused.map((session) => operation.step('logout', (signal) => initiator.sessions.logout(session, signal))),
    ...(unused.length < sessions.length
      ? []
      : [operation.step('record', (signal) => initiator.records.remove(target, signal))]),
  ])
}

function takeAllOffline(paths: readonly ScsiPath[], operation: Operation): Promise<void> {
  return operation.step('offline', (signal) => each(paths, ({ unit, sequence }) => takeOffline(unit, signal, sequence)))
}

function deletePaths(paths: readonly ScsiPath[], operation: Operation): Promise<void> {
  return operation.step('delete', (signal) => each(paths, (path) => removePath(path, signal)))
}

/**
 * Held while a session is looked for or opened, with a share from then on until a unit of ours is in it; and alone while
 * an empty session is closed.
 */
export function targetKey({ portal, iqn }: TargetPortal): string {
  return `target iscsi ${iqn.toLowerCase()} ${formatPortal(portal)}`
}

async function each<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  await together(items.map(act))
}
