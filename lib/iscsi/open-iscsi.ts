import type { NodeSettings } from './node-settings.ts'
import type { TargetPortal } from './portal.ts'
import type { Session } from './sessions.ts'

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
