import type { BlockDevice } from './block-device.ts'

type Key = string | number

/** Devices by something that several may have, such as a name of their volume. Made when it is first asked for. */
export class Index<K extends Key> {
  readonly #keysOf: (device: BlockDevice) => readonly (K | null | undefined)[]
  #found: Map<K, BlockDevice[]> | undefined

  constructor(keysOf: (device: BlockDevice) => readonly (K | null | undefined)[]) {
    this.#keysOf = keysOf
  }

  of(devices: ReadonlyMap<string, BlockDevice>): ReadonlyMap<K, readonly BlockDevice[]> {
    if (this.#found) return this.#found
    const found = (this.#found = new Map<K, BlockDevice[]>())
    for (const device of devices.values()) this.add(device)
    return found
  }

  get isMade(): boolean {
    return this.#found !== undefined
  }

  add(device: BlockDevice): void {
    this.#each(device, (found, key) => {
      const group = found.get(key)
      if (group) group.push(device)
      else found.set(key, [device])
    })
  }

  remove(device: BlockDevice): void {
    this.#each(device, (found, key) => {
      const group = found.get(key) ?? []
      const at = group.indexOf(device)
      if (at >= 0) group.splice(at, 1)
      if (group.length === 0) found.delete(key)
    })
  }

  #each(device: BlockDevice, act: (found: Map<K, BlockDevice[]>, key: K) => void): void {
    if (!this.#found) return
    for (const key of this.#keysOf(device)) if (key !== null && key !== undefined) act(this.#found, key)
  }
}

/** Devices by something that one device has, such as its number. */
export class UniqueIndex<K extends Key> {
  readonly #keyOf: (device: BlockDevice) => K | null
  #found: Map<K, BlockDevice> | undefined

  constructor(keyOf: (device: BlockDevice) => K | null) {
    this.#keyOf = keyOf
  }

  of(devices: ReadonlyMap<string, BlockDevice>): ReadonlyMap<K, BlockDevice> {
    if (this.#found) return this.#found
    const found = (this.#found = new Map<K, BlockDevice>())
    for (const device of devices.values()) this.add(device)
    return found
  }

  get isMade(): boolean {
    return this.#found !== undefined
  }

  add(device: BlockDevice): void {
    if (!this.#found) return
    const key = this.#keyOf(device)
    if (key !== null) this.#found.set(key, device)
  }

  remove(device: BlockDevice): void {
    if (!this.#found) return
    const key = this.#keyOf(device)
    // It may be another one's already.
    if (key !== null && this.#found.get(key) === device) this.#found.delete(key)
  }
}

/** Every name of the volume behind a device. */
export function wwidsOf({ identity, wwid, map }: BlockDevice): string[] {
  const names = new Set<string>()
  for (const name of [identity?.names.kernel, identity?.names.udev, identity?.names.multipath, wwid]) {
    if (name !== null && name !== undefined) names.add(name)
  }
  if (map?.uuid.startsWith('mpath-')) names.add(map.uuid.slice('mpath-'.length))
  return [...names]
}
