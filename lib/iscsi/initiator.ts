import { iscsiadm, listInterfaces, showInterface } from '../cli/iscsiadm.ts'
import { BrickError } from '../errors.ts'
import { builtInInterface, isBuiltIn, tcp } from './interface.ts'
import type { Interface } from './interface.ts'
import { Iscsid } from './iscsid.ts'
import { NodeDatabase } from './node-database.ts'
import type { NodeSettings } from './node-settings.ts'
import type { Initiator, NodeRecords } from './open-iscsi.ts'
import type { TargetPortal } from './portal.ts'
import type { Session } from './sessions.ts'

const iscsid = new Iscsid()

/**
 * Records by our own hand where it is clear where they are, logins and logouts by iscsid's socket, and iscsiadm for the
 * rest. It also knows how to start an iscsid that is not running.
 */
export async function openInitiator({ over = tcp }: TargetPortal, signal: AbortSignal): Promise<Initiator> {
  const database = await openDatabase(signal)
  const native = database && isBuiltIn(over) ? database : undefined
  return {
    records: native ?? (database ? madeByIscsiadm(database) : iscsiadm),
    sessions: { login, logout },
  }
}

/**
 * The interface of this name. iscsiadm is asked, which makes the records of the adapters that it finds.
 *
 * @throws BrickError NOT_SUPPORTED when this host has none
 */
export async function findInterface(name: string, signal: AbortSignal): Promise<Interface> {
  const builtIn = builtInInterface(name)
  if (builtIn) return builtIn
  const transport = (await showInterface(name, signal))?.get('iface.transport_name')
  if (transport !== undefined) return { name, transport }
  throw new BrickError('NOT_SUPPORTED', `open-iscsi has no interface ${name} on this host`, {
    details: { interface: name },
  })
}

/** A record over an adapter repeats what the interface's record says, which iscsiadm knows; it is a file like all others. */
function madeByIscsiadm(database: NodeDatabase): NodeRecords {
  return {
    keep: (target, signal) => database.keep(target, signal),
    draft: (target, settings, signal) => iscsiadm.draft(target, settings, signal),
    remove: (target, signal) => database.remove(target, signal),
  }
}

async function openDatabase(signal: AbortSignal): Promise<NodeDatabase | undefined> {
  const database = await NodeDatabase.open(signal)
  if (database) return database
  // A host on which iscsiadm has never run: its first run makes the database, where its distribution wants it.
  await listInterfaces(signal)
  return NodeDatabase.open(signal)
}

async function login(target: TargetPortal, record: NodeSettings | null, signal: AbortSignal): Promise<void> {
  if (record === null || !(await iscsid.login(record, signal))) await iscsiadm.login(target, record, signal)
}

async function logout(session: Session, signal: AbortSignal): Promise<void> {
  if (!(await iscsid.logout(session, signal))) await iscsiadm.logout(session, signal)
}
