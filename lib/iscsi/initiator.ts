import { iscsiadm } from '../cli/iscsiadm.ts'
import type { ChapCredentials } from '../properties/iscsi.ts'
import * as iscsid from './iscsid.ts'
import { NodeDatabase } from './node-database.ts'
import type { Portal } from './portal.ts'
import type { Session } from './sessions.ts'

/** One portal of one target. */
export interface TargetPortal {
  readonly portal: Portal
  readonly iqn: string
}

/** Settings of a node record: 'node.session.scan' and the like. */
export type NodeSettings = ReadonlyMap<string, string>

/** The records of which iscsid makes sessions. */
export interface NodeRecords {
  /** The portal's record as it stands; undefined when there is none. */
  read(target: TargetPortal, signal: AbortSignal): Promise<string | undefined>
  /** Makes a record of the host's defaults and these settings. */
  create(target: TargetPortal, settings: NodeSettings, signal: AbortSignal): Promise<void>
  /** Puts back what `read` gave. */
  restore(target: TargetPortal, record: string, signal: AbortSignal): Promise<void>
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
   * @throws BrickError AUTH_FAILED, TARGET_NOT_FOUND, PORTAL_UNREACHABLE, LOGIN_FAILED, NOT_SUPPORTED, TOOL_FAILED
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

/** Records by our own hand where it is clear where they are, logouts by iscsid's socket, the rest by iscsiadm. */
export async function openInitiator(signal: AbortSignal): Promise<Initiator> {
  return {
    records: (await NodeDatabase.open(signal)) ?? iscsiadm,
    sessions: { login: (target, late) => iscsiadm.login(target, late), logout },
  }
}

async function logout(session: Session, signal: AbortSignal): Promise<void> {
  // iscsiadm knows how to start an iscsid that is not running.
  if (!(await iscsid.logout(session, signal))) await iscsiadm.logout(session, signal)
}

/** Seconds: open-iscsi's own default, and what a session that is to recover from trouble needs at least. */
const longestLogin = 15
const shortestLogin = 5

/** What a record of ours says beyond the host's defaults. `patience`: milliseconds that the caller has for the login. */
export function sessionSettings(credentials: ChapCredentials | undefined, patience: number): NodeSettings {
  const loginTimeout = Math.min(longestLogin, Math.max(shortestLogin, Math.ceil(patience / 1000)))
  const settings = new Map([
    // The session is to bring the volume, not all that is mapped to this host.
    ['node.session.scan', 'manual'],
    // The portal was found to answer; if the login then fails the caller is to hear of it, not to wait for more tries.
    ['node.session.initial_login_retry_max', '1'],
    // iscsid cannot be told to give up a login, only beforehand for how long to try.
    ['node.conn[0].timeo.login_timeout', String(loginTimeout)],
  ])
  if (credentials) {
    settings.set('node.session.auth.authmethod', credentials.method)
    settings.set('node.session.auth.username', credentials.username)
    settings.set('node.session.auth.password', credentials.password.reveal())
    if (credentials.usernameIn !== undefined && credentials.passwordIn !== undefined) {
      settings.set('node.session.auth.username_in', credentials.usernameIn)
      settings.set('node.session.auth.password_in', credentials.passwordIn.reveal())
    }
  }
  return settings
}
