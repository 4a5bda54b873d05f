import { orAborted } from '../abort.ts'
import { binding, finishWithin } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { scsiPlaceOf } from '../inventory/place.ts'
import type { ScsiPlace } from '../inventory/block-device.ts'
import { readWalk } from '../inventory/walk.ts'
import { WalkPlan } from '../inventory/walk-plan.ts'
import type { WalkFolder } from '../inventory/walk-plan.ts'
import type { WalkEntry } from '../inventory/walk.ts'
import { sameTargetName } from '../properties/iscsi.ts'
import { SharedLook } from '../shared-look.ts'
import type { UnitAddress } from '../scsi/unit.ts'
import { isBuiltIn, tcp } from './interface.ts'
import type { Interface } from './interface.ts'
import { portalAt, samePortal } from './portal.ts'
import type { Portal, TargetPortal } from './portal.ts'

/** One iSCSI session of this host. */
export interface Session {
  readonly id: number
  /** Its SCSI host, which the kernel made for it alone or, with an adapter, shares among the adapter's sessions. */
  readonly host: number
  /** The target's SCSI id on that host; null where an old kernel does not say and it may be any. */
  readonly targetId: number | null
  readonly over: Interface
  readonly targetName: string
  /** The portal it was configured for; a redirected session talks to another. Null before the login is done. */
  readonly portal: Portal | null
  /** The portal that it talks to now; null while it has no connection. */
  readonly peer: Portal | null
  /** LOGGED_IN, FAILED or FREE. */
  readonly state: string
  /** The logical units that the kernel has devices for. */
  readonly units: readonly ScsiPlace[]
}

const folders: readonly WalkFolder[] = [
  {
    path: 'class/iscsi_session',
    attributes: ['uevent', 'targetname', 'state', 'target_id', 'ifacename'].map((name) => ({ name })),
    directories: [],
  },
  {
    path: 'class/iscsi_connection',
    attributes: ['uevent', 'persistent_address', 'persistent_port', 'address', 'port'].map((name) => ({ name })),
    directories: [],
  },
  { path: 'class/scsi_host', attributes: [{ name: 'proc_name' }], directories: [] },
]

/** Of which there may be thousands. */
const unitFolder: WalkFolder = { path: 'class/scsi_device', attributes: [{ name: 'uevent' }], directories: [] }

/** Of these each session has a SCSI host to itself, on which its target is 0. Adapters number their targets. */
const hostPerSession = ['tcp', 'iser']

/** Milliseconds that a walk may take. It reads memory only: a kernel that does not answer for so long is in trouble. */
const patience = 60_000

const withUnits = looksWith(new WalkPlan([...folders, unitFolder]))
const alone = looksWith(new WalkPlan(folders))

/** The iSCSI sessions of this host; none also where the kernel has no iSCSI loaded. */
export function readSessions(signal: AbortSignal): Promise<Session[]> {
  return orAborted(withUnits.take(), signal)
}

/** The same, which takes no longer where there are many units. */
export function readSessionsAlone(signal: AbortSignal): Promise<Omit<Session, 'units'>[]> {
  return orAborted(alone.take(), signal)
}

function looksWith(plan: WalkPlan): SharedLook<Session[]> {
  return new SharedLook(async () => {
    const bytes = await finishWithin(binding().walk('iscsi', '/sys', plan.text), patience)
    return toSessions([...readWalk(bytes, plan)])
  })
}

function toSessions(entries: readonly WalkEntry[]): Session[] {
  // Linux has one connection per session.
  const connections = new Map(
    entries.flatMap((entry) => (entry.folder === 1 ? [[sessionNumber(entry), entry] as const] : [])),
  )
  const transports = new Map(
    entries.flatMap((entry) => (entry.folder === 2 ? [[entry.name, transportOf(entry)] as const] : [])),
  )
  const units = entries
    .flatMap(({ folder, path }) => (folder === 3 ? [scsiPlaceOf(path)] : []))
    .filter((unit) => unit !== null)
  return entries
    .filter(({ folder }) => folder === 0)
    .map((entry) => {
      const id = sessionNumber(entry)
      const connection = connections.get(id)
      const host = Number(/\/host(\d+)\//.exec(entry.path)?.[1])
      const over = { name: text(entry, 'ifacename') ?? '', transport: transports.get(`host${host}`) ?? '' }
      return {
        id,
        host,
        targetId: targetIdOf(entry, over.transport),
        over,
        targetName: text(entry, 'targetname') ?? '',
        portal: connection ? portalOf(connection, 'persistent_address', 'persistent_port') : null,
        get peer() {
          return connection ? portalOf(connection, 'address', 'port') : null
        },
        state: text(entry, 'state') ?? '',
        units: units.filter(({ session }) => session === id),
      }
    })
}

/** Whether the session is one to this portal of this target, over what it is to be reached over. */
export function leadsTo(session: Session, target: TargetPortal): boolean {
  const { over = tcp } = target
  if (!sharesPortal(session, target) || session.over.transport !== over.transport) return false
  // Without a record an interface is no more than its transport, over whichever record of that a session came to be.
  return isBuiltIn(over) || session.over.name === over.name
}

/**
 * The same, whatever it runs over. Name and portal must be equal as a whole: 10.0.0.1 is not 10.0.0.11. A host name that
 * could not be looked up may be any of the target's portals.
 */
export function sharesPortal(session: Session, { portal, iqn }: TargetPortal): boolean {
  if (session.portal === null || !sameTargetName(session.targetName, iqn)) return false
  return portal.family === 'name' || samePortal(session.portal, portal)
}

/** Where a session's unit is: the transport class knows one channel, 0 (iscsi_user_scan_session). */
export function unitOf({ id, host, targetId }: Session, lun: number): UnitAddress {
  if (targetId !== null) return { hctl: `${host}:0:${targetId}:${lun}`, host }
  throw new BrickError('NOT_SUPPORTED', `this kernel does not say where session ${id} has its target`, {
    details: { session: id },
  })
}

function targetIdOf(entry: WalkEntry, transport: string): number | null {
  const id = text(entry, 'target_id')
  if (id !== null) return Number(id)
  return hostPerSession.includes(transport) ? 0 : null
}

/** A driver's name is the transport's, but for those of open-iscsi's own: iscsi_tcp, iscsi_iser. */
function transportOf(host: WalkEntry): string {
  return text(host, 'proc_name')?.replace(/^iscsi_/, '') ?? ''
}

function sessionNumber({ path }: WalkEntry): number {
  return Number(/\/session(\d+)\//.exec(path)?.[1])
}

/** iscsid sets a new session's address and its port one after the other; until then the port is 0. */
function portalOf(entry: WalkEntry, addressName: string, portName: string): Portal | null {
  const address = text(entry, addressName)
  const port = text(entry, portName)
  return address === null || port === null || port === '0' ? null : portalAt(address, port)
}

/** The kernel writes "(null)", and older ones "<NULL>", for what is not set. */
function text(entry: WalkEntry, attribute: string): string | null {
  const value = entry.text(attribute)?.trim() ?? ''
  return value === '' || value === '(null)' || value === '<NULL>' ? null : value
}
