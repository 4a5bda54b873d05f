import type { NodeSettings } from './node-settings.ts'
import type { TargetPortal } from './portal.ts'
import type { Session } from './sessions.ts'

/** The records of which iscsid makes sessions. */
export interface NodeRecords {
  /** Takes down how things are with this portal's record, and returns what makes them so again. */
  keep(target: TargetPortal, signal: AbortSignal): Promise<(late: AbortSignal) => Promise<void>>
  /** A record of the host's defaults and these settings, to be written in place of one that may be there. */
  draft(target: TargetPortal, settings: NodeSettings, signal: AbortSignal): Promise<RecordDraft>
  /** Removes the record. None is fine. */
  remove(target: TargetPortal, signal: AbortSignal): Promise<void>
}

export interface RecordDraft {
  /** All that the record says; null where only open-iscsi knows that. */
  readonly settings: NodeSettings | null
  write(signal: AbortSignal): Promise<void>
}

/**
 * Who logs this host in and out. Sessions always belong to iscsid, which is what recovers them when a connection
 * breaks; we only say what it is to do.
 */
export interface SessionControl {
  /**
   * Logs in as the record says and returns when the session is up. A session that is there already is fine.
   *
   * @param record what it says, as its draft has it
   * @throws BrickError AUTH_FAILED, PORTAL_UNREACHABLE, LOGIN_FAILED, NOT_SUPPORTED, TOOL_FAILED
   */
  login(target: TargetPortal, record: NodeSettings | null, signal: AbortSignal): Promise<void>
  /** Ends the session, and with it every device that it has. One that has ended already is fine. */
  logout(session: Session, signal: AbortSignal): Promise<void>
}

/** The records and sessions of this host's open-iscsi. */
export interface Initiator {
  readonly records: NodeRecords
  readonly sessions: SessionControl
}
