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
    attributes: [{ name: 'uevent' }, { name: 'persistent_address' }, { name: 'persistent_port' }],
    directories: [],
  },
  { path: 'class/scsi_device', attributes: [{ name: 'uevent' }], directories: [] },
]

/** The iSCSI sessions of this host; none also where the kernel has no iSCSI loaded. */
export async function readSessions(signal: AbortSignal): Promise<Session[]> {
  const bytes = await finish(binding().walk('iscsi', '/sys', folders), signal)
  const entries = [...readWalk(bytes, folders)]
  const portals = new Map<number, Portal>()
  for (const entry of entries.filter(({ folder }) => folder === 1)) {
    const portal = portalOf(entry)
    if (portal) portals.set(sessionNumber(entry), portal)
  }
  const units = entries
    .flatMap(({ folder, path }) => (folder === 2 ? [scsiPlaceOf(path)] : []))
    .filter((unit) => unit !== null)
  return entries
    .filter(({ folder }) => folder === 0)
    .map((entry) => {
      const id = sessionNumber(entry)
      return {
        id,
        host: Number(/\/host(\d+)\//.exec(entry.path)?.[1]),
        targetName: text(entry, 'targetname') ?? '',
        portal: portals.get(id) ?? null,
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

function portalOf(entry: WalkEntry): Portal | undefined {
  const address = text(entry, 'persistent_address')
  const port = text(entry, 'persistent_port')
  if (address === null || port === null) return undefined
  return portalAt(address, port)
}

/** The kernel writes "(null)", and older ones "<NULL>", for what is not set. */
function text(entry: WalkEntry, attribute: string): string | null {
  const value = entry.attributes.get(attribute)?.toString().trim()
  return value === undefined || value === '' || value === '(null)' || value === '<NULL>' ? null : value
}
