import type { DeviceLook } from '../binding.ts'
import type { BlockDevice } from './block-device.ts'
import { Devices } from './devices.ts'
import type { InDoubt } from './doubts.ts'
import { covers, devicesIn, readAll, readSomeDevices } from './read.ts'

/** Devices as they were and as they are, of those that were looked at. What is in one list only has come, or gone. */
export interface Looked {
  readonly before: readonly BlockDevice[]
  readonly after: readonly BlockDevice[]
}

/** Devices that are brought up to date by looking at those in doubt, which costs the same however many others there are. */
export class TrackedDevices extends Devices {
  /**
   * @param taken a look that somebody else has taken since the devices were in doubt
   * @throws BrickError as `inventory` does
   * @internal
   */
  async look({ all, names }: InDoubt, taken?: DeviceLook): Promise<Looked> {
    const looked = all ? { before: this.devices, after: (await readAll()).devices } : await this.#lookAt(names, taken)
    this.replace(looked.before, looked.after)
    return looked
  }

  /**
   * The same without waiting; undefined when the look that was taken does not have all that there is to know.
   *
   * @internal
   */
  lookAtOnce({ all, names }: InDoubt, taken: DeviceLook | undefined): Looked | undefined {
    if (all || taken === undefined || !covers(taken, names)) return undefined
    const { concerned, ...looked } = this.#compare(names, devicesIn(taken))
    if (concerned.length > 0) return undefined
    this.replace(looked.before, looked.after)
    return looked
  }

  /**
   * As if these had not been seen yet.
   *
   * @internal
   */
  forget(devices: readonly BlockDevice[]): void {
    this.replace(devices, [])
  }

  async #lookAt(names: readonly string[], taken: DeviceLook | undefined): Promise<Looked> {
    const before: BlockDevice[] = []
    const after: BlockDevice[] = []
    const seen = new Set<string>()
    for (let next = names; next.length > 0;) {
      for (const name of next) seen.add(name)
      const devices = taken && covers(taken, next) ? devicesIn(taken) : await readSomeDevices(next)
      const looked = this.#compare(next, devices)
      before.push(...looked.before)
      after.push(...looked.after)
      next = looked.concerned.filter((name) => !seen.has(name))
    }
    return { before, after }
  }

  /** These devices as they were and as they are, and the names of others that have changed with them. */
  #compare(names: readonly string[], devices: readonly BlockDevice[]): Looked & { readonly concerned: string[] } {
    const found = new Map(devices.map((device) => [device.name, device]))
    const before: BlockDevice[] = []
    const concerned = new Set<string>()
    for (const name of names) {
      const was = this.byName.get(name)
      if (was) before.push(was)
      for (const related of relatedOnce(was, found.get(name))) concerned.add(related)
      // A disk that becomes read-only makes its partitions so, which are not announced.
      for (const partition of this.byParent.get(name) ?? []) concerned.add(partition.name)
    }
    for (const name of names) concerned.delete(name)
    return { before, after: [...found.values()], concerned: [...concerned] }
  }
}

/** What a device is built upon, or holds it, either before or now: it has changed as well, and may not be announced. */
function relatedOnce(was: BlockDevice | undefined, is: BlockDevice | undefined): string[] {
  const before = relatedTo(was)
  const now = relatedTo(is)
  return [...before.filter((name) => !now.includes(name)), ...now.filter((name) => !before.includes(name))]
}

function relatedTo(device: BlockDevice | undefined): readonly string[] {
  return device ? [...device.slaves, ...device.holders] : []
}
