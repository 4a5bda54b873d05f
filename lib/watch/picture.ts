import { orAborted } from '../abort.ts'
import { binding, failedWith, finish } from '../binding.ts'
import type { BlockDevice } from '../inventory/block-device.ts'
import { controllerAttributes, toControllerState } from '../inventory/controllers.ts'
import type { NvmeControllerState } from '../inventory/controllers.ts'
import type { InDoubt } from '../inventory/doubts.ts'
import { TrackedDevices } from '../inventory/tracked.ts'
import { readWalk } from '../inventory/walk.ts'
import { WalkPlan } from '../inventory/walk-plan.ts'
import { formatPortal } from '../iscsi/portal.ts'
import { readSessionsAlone } from '../iscsi/sessions.ts'
import { wwidOf } from '../multipath/map.ts'
import { parseMultipathStatus } from '../multipath/map-status.ts'
import type { IscsiSession, MultipathPath } from './change.ts'
import type { Due, Part } from './occasions.ts'

/** A path as its map's status has it. */
export interface PathState extends MultipathPath {
  readonly device: BlockDevice
  readonly working: boolean
  /** How often it has failed since the map was last given a new table. */
  readonly failures: number
}

/** This host's storage at one moment, or what was looked at of it. */
export interface Picture {
  readonly devices: readonly BlockDevice[]
  /** A session that is being made has no target and no portal yet: they are empty. */
  readonly sessions: readonly IscsiSession[]
  readonly controllers: readonly NvmeControllerState[]
  readonly paths: readonly PathState[]
}

/** What was looked at, before and now. */
export interface Glance {
  readonly before: Picture
  readonly after: Picture
}

/** The paths of some maps, before and now. */
interface Paths {
  readonly before: readonly PathState[]
  readonly after: readonly PathState[]
}

const none: readonly PathState[] = []
const noPaths: Paths = { before: none, after: none }

/** This host's storage as it was last looked at. */
export class Host {
  readonly #devices = new TrackedDevices()
  #sessions: readonly IscsiSession[] = []
  #controllers: readonly NvmeControllerState[] = []
  /** Of each multipath map, by its device's name. */
  readonly #paths = new Map<string, readonly PathState[]>()

  /** Looks at what is due, and at nothing else: without waiting at all when that has been seen already. */
  async look(due: Due, signal: AbortSignal): Promise<Glance> {
    const before = { sessions: this.#sessions, controllers: this.#controllers }
    const seen = this.#devices.lookAtOnce(due.devices, due.look)
    const [devices, sessions, controllers] =
      seen && due.parts.size === 0
        ? [seen, before.sessions, before.controllers]
        : await Promise.all([
            seen ?? orAborted(this.#devices.look(due.devices, due.look), signal),
            due.parts.has('sessions') ? readIscsiSessions(signal) : before.sessions,
            due.parts.has('controllers') ? readControllerStates(signal) : before.controllers,
          ])
    const maps = this.#mapsAmong(due.devices)
    const paths = maps.length === 0 ? noPaths : await this.#lookAtPaths(maps, signal)
    this.#sessions = sessions
    this.#controllers = controllers
    return {
      before: { ...before, devices: devices.before.filter(isWhole), paths: paths.before },
      after: { sessions, controllers, devices: devices.after.filter(isWhole), paths: paths.after },
    }
  }

  /** As if these had not been seen yet: by their places below /sys, sessions as in 'session1'. */
  forget(arrivals: ReadonlySet<string>): void {
    const devices = this.#devices.devices.filter(({ sysfs }) => arrivals.has(`/devices${sysfs}`))
    this.#devices.forget(devices)
    this.#sessions = this.#sessions.filter(({ id }) => !arrivals.has(`session${id}`))
    this.#controllers = this.#controllers.filter(({ sysfs }) => !arrivals.has(`/devices${sysfs}`))
    for (const [map, paths] of this.#paths) {
      const old = paths.filter(({ device }) => !devices.some(({ name }) => name === device.name || name === map))
      this.#paths.set(map, old)
    }
  }

  /** What changes without an event: that a session has been logged in, and that a controller has been lost. */
  get unannounced(): Part[] {
    const parts: Part[] = []
    if (this.#sessions.some(({ state }) => state !== 'LOGGED_IN')) parts.push('sessions')
    if (this.#controllers.some(({ transport }) => !inThisHost.includes(transport))) parts.push('controllers')
    return parts
  }

  /** The names of those that are maps, or were. */
  #mapsAmong({ all, names }: InDoubt): string[] {
    const known = all ? new Set([...this.#devices.byName.keys(), ...this.#paths.keys()]) : names
    return [...known].filter((name) => this.#paths.has(name) || this.#devices.byName.get(name)?.map)
  }

  async #lookAtPaths(maps: readonly string[], signal: AbortSignal): Promise<Paths> {
    const after = await Promise.all(maps.map((name) => this.#pathsOf(name, signal)))
    const before = maps.flatMap((name) => this.#paths.get(name) ?? [])
    for (const [number, name] of maps.entries()) {
      const paths = after[number] ?? []
      if (paths.length > 0) this.#paths.set(name, paths)
      else this.#paths.delete(name)
    }
    return { before, after: after.flat() }
  }

  async #pathsOf(name: string, signal: AbortSignal): Promise<PathState[]> {
    const { path, map = null } = this.#devices.byName.get(name) ?? {}
    const wwid = wwidOf(map?.uuid ?? '')
    if (path === undefined || map === null || wwid === undefined) return []
    try {
      const state = await finish(binding().mapState(`dm:${name}`, map.name), signal)
      // A map that is being made or taken down has another table, or none.
      if (state.status[0]?.type !== 'multipath') return []
      return parseMultipathStatus(state).paths.flatMap(({ devno, active, failures }) => {
        const device = this.#devices.byDevno.get(devno)
        if (device === undefined) return []
        const description = { path, name: map.name, wwid }
        return [{ path: device.path, map: description, device, working: active, failures }]
      })
    } catch (error) {
      if (failedWith(error, 'ENXIO')) return []
      throw error
    }
  }
}

/**
 * A map is announced before it has a name in sysfs (dm_setup_md_queue in drivers/md/dm.c), has no size while it is being
 * made or deleted, and refuses to say its name when it is on its way out (dm_get_from_kobject).
 */
function isWhole({ name, map, size }: BlockDevice): boolean {
  return !name.startsWith('dm-') || (map !== null && size > 0)
}

/** Transports whose controllers are not lost. */
const inThisHost = ['pcie', 'loop', 'apple-nvme']

const controllerPlan = new WalkPlan([{ path: 'class/nvme', attributes: controllerAttributes, directories: [] }])

async function readControllerStates(signal: AbortSignal): Promise<NvmeControllerState[]> {
  const bytes = await finish(binding().walk('nvme', '/sys', controllerPlan.text), signal)
  return Array.from(readWalk(bytes, controllerPlan), toControllerState)
}

async function readIscsiSessions(signal: AbortSignal): Promise<IscsiSession[]> {
  const sessions = await readSessionsAlone(signal)
  return sessions.map(({ id, host, targetName, portal, peer, state }) => ({
    id,
    host,
    target: targetName,
    portal: portal ? formatPortal(portal) : '',
    peer: peer && formatPortal(peer),
    state,
  }))
}
