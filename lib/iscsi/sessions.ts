import { binding, finish } from '../binding.ts'
import type { WalkFolder } from '../binding.ts'
import { scsiPlaceOf } from '../inventory/block-device.ts'
import type { ScsiPlace } from '../inventory/block-device.ts'
import { readWalk } from '../inventory/walk.ts'
import type { WalkEntry } from '../inventory/walk.ts'
import { sameTargetName } from '../properties/iscsi.ts'
import { portalAt, samePortal } from './portal.ts'
import type { Portal } from './portal.ts'

/** One iSCSI session of this host. */
export interface Session {
  readonly id: number
  /** The SCSI host that the kernel made for it. */
  readonly host: number
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
    attributes: [{ name: 'uevent' }, { name: 'targetname' }, { name: 'state' }],
    directories: [],
  },
  {
    path: 'class/iscsi_connection',
    attributes: ['uevent', 'persistent_address', 'persistent_port', 'address', 'port'].map((name) => ({ name })),
    directories: [],
  },
  { path: 'class/scsi_device', attributes: [{ name: 'uevent' }], directories: [] },
]

/** The iSCSI sessions of this host; none also where the kernel has no iSCSI loaded. */
export async function readSessions(signal: AbortSignal): Promise<Session[]> {
  const bytes = await finish(binding().walk('iscsi', '/sys', folders), signal)
  const entries = [...readWalk(bytes, folders)]
  // Linux has one connection per session.
  const connections = new Map(
    entries.flatMap((entry) => (entry.folder === 1 ? [[sessionNumber(entry), entry] as const] : [])),
  )
  const units = entries
    .flatMap(({ folder, path }) => (folder === 2 ? [scsiPlaceOf(path)] : []))
    .filter((unit) => unit !== null)
  return entries
    .filter(({ folder }) => folder === 0)
    .map((entry) => {
      const id = sessionNumber(entry)
      const connection = connections.get(id)
      return {
        id,
        host: Number(/\/host(\d+)\//.exec(entry.path)?.[1]),
        targetName: text(entry, 'targetname') ?? '',
        portal: connection ? portalOf(connection, 'persistent_address', 'persistent_port') : null,
        peer: connection ? portalOf(connection, 'address', 'port') : null,
        state: text(entry, 'state') ?? '',
        units: units.filter(({ session }) => session === id),
      }
    })
}

/** Whether the session was made for this portal of this target. Both must be equal as a whole: 10.0.0.1 is not 10.0.0.11. */
export function leadsTo(session: Session, target: { portal: Portal; iqn: string }): boolean {
  if (session.portal === null) return false
  return sameTargetName(session.targetName, target.iqn) && samePortal(session.portal, target.portal)
}

function sessionNumber({ path }: WalkEntry): number {
  return Number(/\/session(\d+)\//.exec(path)?.[1])
}

function portalOf(entry: WalkEntry, addressName: string, portName: string): Portal | null {
  const address = text(entry, addressName)
  const port = text(entry, portName)
  return address === null || port === null ? null : portalAt(address, port)
}

/** The kernel writes "(null)", and older ones "<NULL>", for what is not set. */
function text(entry: WalkEntry, attribute: string): string | null {
  const value = entry.attributes.get(attribute)?.toString().trim()
  return value === undefined || value === '' || value === '(null)' || value === '<NULL>' ? null : value
}
