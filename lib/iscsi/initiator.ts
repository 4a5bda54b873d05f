import { iscsiadm, listInterfaces } from '../cli/iscsiadm.ts'
import { Iscsid } from './iscsid.ts'
import { NodeDatabase } from './node-database.ts'
import type { Initiator } from './open-iscsi.ts'
import type { TargetPortal } from './portal.ts'
import type { Session } from './sessions.ts'

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
