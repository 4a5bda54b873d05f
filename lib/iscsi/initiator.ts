import { iscsiadm, listInterfaces } from '../cli/iscsiadm.ts'
import { Iscsid } from './iscsid.ts'
import { NodeDatabase } from './node-database.ts'
import type { NodeSettings } from './node-settings.ts'
import type { Portal } from './portal.ts'
import type { Session } from './sessions.ts'

/** One portal of one target. */
export interface TargetPortal {
  readonly portal: Portal
  readonly iqn: string
}

/** The records of which iscsid makes sessions. */
export interface NodeRecords {
  /** Takes down how things are with this portal's record, and returns what makes them so again. */
  keep(target: TargetPortal, signal: AbortSignal): Promise<(late: AbortSignal) => Promise<void>>
  /** Makes a record of the host's defaults and these settings, in place of one that may be there. */
  create(target: TargetPortal, settings: NodeSettings, signal: AbortSignal): Promise<void>
  /** Removes the record. None is fine. */
  remove(target: TargetPortal, signal: AbortSignal): Promise<void>
}

/**
 * Who logs this host in and out. Sessions always belong to iscsid, which is what recovers them when a connection
 * breaks; we only say what it is to do.
 */
export interface SessionControl {
  /**
   * Logs in as the record says and returns when the session is up. A session that is there already is fine.
   *
   * @throws BrickError AUTH_FAILED, PORTAL_UNREACHABLE, LOGIN_FAILED, NOT_SUPPORTED, TOOL_FAILED
   */
  login(target: TargetPortal, signal: AbortSignal): Promise<void>
  /** Ends the session, and with it every device that it has. One that has ended already is fine. */
  logout(session: Session, signal: AbortSignal): Promise<void>
}

/** The records and sessions of this host's open-iscsi. */
export interface Initiator {
  readonly records: NodeRecords
  readonly sessions: SessionControl
}

const iscsid = new Iscsid()

/**
 * Records by our own hand where it is clear where they are, logins and logouts by iscsid's socket, and iscsiadm for the
 * rest. It also knows how to start an iscsid that is not running.
 */
export async function openInitiator(signal: AbortSignal): Promise<Initiator> {
  const database = await openDatabase(signal)
  return {
    records: database ?? iscsiadm,
    sessions: { login: (target, late) => login(database, target, late), logout },
  }
}

async function openDatabase(signal: AbortSignal): Promise<NodeDatabase | undefined> {
  const database = await NodeDatabase.open(signal)
  if (database) return database
  // A host on which iscsiadm has never run: its first run makes the database, where its distribution wants it.
  await listInterfaces(signal)
  return NodeDatabase.open(signal)
}

async function login(database: NodeDatabase | undefined, target: TargetPortal, signal: AbortSignal): Promise<void> {
  const record = await database?.read(target, signal)
  if (record === undefined || !(await iscsid.login(record, signal))) await iscsiadm.login(target, signal)
}

async function logout(session: Session, signal: AbortSignal): Promise<void> {
  if (!(await iscsid.logout(session, signal))) await iscsiadm.logout(session, signal)
}
