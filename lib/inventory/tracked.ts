import type { BlockDevice } from './block-device.ts'
import { Devices } from './devices.ts'
import type { InDoubt } from './doubts.ts'
import { readDevices, readSomeDevices } from './read.ts'

/** Devices as they were and as they are, of those that were looked at. What is in one list only has come, or gone. */
export interface Looked {
  readonly before: readonly BlockDevice[]
  readonly after: readonly BlockDevice[]
}

/** Devices that are brought up to date by looking at those in doubt, which costs the same however many others there are. */
export class TrackedDevices extends Devices {
  /**
   * @throws BrickError as `inventory` does
   * @internal
   */
  async look({ all, names }: InDoubt): Promise<Looked> {
    const looked = all ? { before: this.devices, after: await readDevices() } : await this.#lookAt(names)
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

  async #lookAt(names: readonly string[]): Promise<Looked> {
    const before: BlockDevice[] = []
    const after: BlockDevice[] = []
    const seen = new Set<string>()
    for (let next = names; next.length > 0;) {
      for (const name of next) seen.add(name)
      const found = new Map((await readSomeDevices(next)).map((device) => [device.name, device]))
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
  const [before, now] = [was, is].map((device) => new Set([...(device?.slaves ?? []), ...(device?.holders ?? [])]))
  return [...(before ?? [])]
    .filter((name) => !now?.has(name))
    .concat([...(now ?? [])].filter((name) => !before?.has(name)))
}
