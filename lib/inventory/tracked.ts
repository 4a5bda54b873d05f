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
      const found = new Map(devices.map((device) => [device.name, device]))
      after.push(...found.values())
      const concerned = next.flatMap((name) => {
        const was = this.byName.get(name)
        if (was) before.push(was)
        // A disk that becomes read-only makes its partitions so, which are not announced.
        const partitions = this.byParent.get(name) ?? []
        return [...relatedOnce(was, found.get(name)), ...partitions.map((partition) => partition.name)]
      })
      next = [...new Set(concerned)].filter((name) => !seen.has(name))
    }
    return { before, after }
  }
}

/** What a device is built upon, or holds it, either before or now: it has changed as well, and may not be announced. */
function relatedOnce(was: BlockDevice | undefined, is: BlockDevice | undefined): string[] {
  const [before, now] = [relatedTo(was), relatedTo(is)]
  return [...before.filter((name) => !now.includes(name)), ...now.filter((name) => !before.includes(name))]
}

function relatedTo(device: BlockDevice | undefined): readonly string[] {
  return device ? [...device.slaves, ...device.holders] : []
}
