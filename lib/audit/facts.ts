import { readlink } from 'node:fs/promises'
import { resolve } from 'node:path'
import { orAborted, withDeadline } from '../abort.ts'
import { binding, failedWith, finish } from '../binding.ts'
import { listDirectory, resolvePath } from '../files.ts'
import type { BlockDevice } from '../inventory/block-device.ts'
import { inventory } from '../inventory/inventory.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { readWalk } from '../inventory/walk.ts'
import { WalkPlan } from '../inventory/walk-plan.ts'
import { readSessions } from '../iscsi/sessions.ts'
import type { Session } from '../iscsi/sessions.ts'
import { wwidOf } from '../multipath/map.ts'
import { parseMultipathStatus } from '../multipath/map-status.ts'
import { compareUnits } from '../scsi/identity.ts'
import type { ScsiIdentity } from '../scsi/identity.ts'
import { liveIdentity } from '../scsi/unit.ts'

/** What an audit goes by. */
export interface Facts {
  readonly host: Inventory
  readonly sessions: readonly Session[]
  readonly controllers: readonly ControllerFacts[]
  /** 'running', 'offline', 'transport-offline' and so on, by 'H:C:T:L'. */
  readonly unitStates: ReadonlyMap<string, string>
  readonly maps: readonly MapFacts[]
  readonly changed: readonly ChangedIdentity[]
  /** Links below /dev/disk/by-id that led nowhere before everything else was looked at, and where they were to lead. */
  readonly links: readonly { readonly link: string; readonly node: string }[]
}

export interface ControllerFacts {
  readonly name: string
  readonly state: string
  readonly nqn: string
  /** Seconds for which the kernel tries to reconnect; 'off' for ever; null for transports that are not lost. */
  readonly patience: string | null
}

export interface MapFacts {
  readonly device: BlockDevice
  readonly suspended: boolean
  /** Of multipath maps only. */
  readonly paths: readonly { readonly devno: string; readonly working: boolean }[] | null
}

/** A disk that says something else now than what the kernel noted when it found it. */
export interface ChangedIdentity {
  readonly device: BlockDevice
  /** Null when its target shows no unit there any more. */
  readonly said: ScsiIdentity | null
}

const plan = new WalkPlan([
  {
    path: 'class/nvme',
    // Not `address`, for which a controller that is being reconnected may let one wait.
    attributes: ['state', 'subsysnqn', 'ctrl_loss_tmo'].map((name) => ({ name })),
    directories: [],
  },
  { path: 'class/scsi_device', attributes: [{ name: '../../state' }], directories: [] },
])

/** Milliseconds that a disk has to say what it is. One that does not answer is another finding's matter. */
const patience = 5000

/** So many disks are asked at once. */
const crowd = 16

export async function readFacts(signal: AbortSignal): Promise<Facts> {
  // Before the devices: a link that comes with one afterwards must not look like one without.
  const links = await linksToNowhere('/dev/disk/by-id', signal)
  const [host, sessions, bytes] = await Promise.all([
    orAborted(inventory(), signal),
    readSessions(signal),
    finish(binding().walk('audit', '/sys', plan.text), signal),
  ])
  const entries = [...readWalk(bytes, plan)]
  const controllers = entries
    .filter(({ folder }) => folder === 0)
    .map((entry) => ({
      name: entry.name,
      state: entry.text('state') ?? '',
      nqn: entry.text('subsysnqn') ?? '',
      patience: entry.text('ctrl_loss_tmo'),
    }))
  const units = entries.filter(({ folder }) => folder === 1)
  const unitStates = new Map(units.map((entry) => [entry.name, entry.text('../../state') ?? '']))
  const [maps, changed] = await Promise.all([readMaps(host, signal), askDisks(host, unitStates, signal)])
  return { host, sessions, controllers, unitStates, maps, changed, links }
}

async function linksToNowhere(folder: string, signal: AbortSignal): Promise<{ link: string; node: string }[]> {
  const names = (await listDirectory(folder, signal)) ?? []
  const links = await Promise.all(
    names.map(async (name) => {
      const link = `${folder}/${name}`
      if ((await resolvePath(link, signal)) !== undefined) return []
      const target = await targetOf(link)
      return target === undefined ? [] : [{ link, node: resolve(folder, target) }]
    }),
  )
  return links.flat()
}

/** Undefined for one that is not there any more, and for what is no link. */
async function targetOf(link: string): Promise<string | undefined> {
  try {
    return await readlink(link)
  } catch (error) {
    if (['ENOENT', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

async function readMaps({ devices }: Inventory, signal: AbortSignal): Promise<MapFacts[]> {
  const found = await Promise.all(
    devices.map(async (device) => {
      const { name, map } = device
      if (map === null) return []
      try {
        const state = await finish(binding().mapState(`dm:${name}`, map.name), signal)
        const isMultipath = wwidOf(map.uuid) !== undefined && state.status[0]?.type === 'multipath'
        const paths = isMultipath
          ? parseMultipathStatus(state).paths.map(({ devno, active }) => ({ devno, working: active }))
          : null
        return [{ device, suspended: state.suspended, paths }]
      } catch (error) {
        if (failedWith(error, 'ENXIO')) return [] // gone meanwhile
        throw error
      }
    }),
  )
  return found.flat()
}

async function askDisks(
  { devices }: Inventory,
  states: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<ChangedIdentity[]> {
  const disks = devices.filter(({ kind, scsi, identity }) => {
    return kind === 'disk' && identity?.key && scsi && states.get(scsi.hctl) === 'running'
  })
  const changed: ChangedIdentity[] = []
  const next = disks.values()
  const askNext = async (): Promise<void> => {
    for (const device of next) {
      const answer = await ask(device, signal)
      // One that does not say what it is, is not proven to be another one.
      if (answer && (answer.said === null || compareUnits(device.identity, answer.said) === 'another'))
        changed.push({ device, ...answer })
    }
  }
  await Promise.all(Array.from({ length: crowd }, askNext))
  return changed
}

/** Undefined for a disk that does not answer: it has gone, or is in trouble. */
async function ask(
  { name, path }: BlockDevice,
  signal: AbortSignal,
): Promise<{ said: ScsiIdentity | null } | undefined> {
  try {
    const said = await liveIdentity({ name, path }, withDeadline(signal, patience))
    return { said: said ?? null }
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}
