import { resolvePath } from '../files.ts'
import { lock, lockAll } from '../lock.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { readDeviceInfo } from '../properties/device-info.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import { Rollback, undone } from '../rollback.ts'
import { within } from '../volume/calls.ts'
import type { ConnectOptions, DisconnectOptions, ExtendOptions, VolumeCalls } from '../volume/calls.ts'
import { linkTo } from './link-name.ts'
import { linksOf, makeLink, removeLinks } from './private-link.ts'

/**
 * A volume as its connection properties want it handed out: one that is encrypted by a link of its own, which whoever
 * opens it makes lead to the opened device. Links of udev's are no good for that: udev takes them back.
 */
export function handedOut({ encrypted }: { readonly encrypted: boolean }, volume: VolumeCalls): VolumeCalls {
  return encrypted ? new LinkedVolume(volume) : volume
}

class LinkedVolume implements VolumeCalls {
  readonly #volume: VolumeCalls

  constructor(volume: VolumeCalls) {
    this.#volume = volume
  }

  async connect(options: ConnectOptions): Promise<DeviceInfo> {
    using operation = new Operation('encrypted.connectVolume', options)
    const before = await this.#volume.paths(within(operation))
    const info = await this.#volume.connect({ ...options, ...within(operation) })
    const rollback = new Rollback()
    if (before.length === 0) rollback.add('attach', (signal) => this.#volume.disconnect(info, { signal }))
    try {
      return { ...info, path: await operation.step('link', (signal) => linkOf(info.path, signal)) }
    } catch (error) {
      throw await undone(error, 'link', () => rollback.run(operation))
    }
  }

  /** The links go when the volume has gone, and only then. */
  async disconnect(deviceInfo: unknown, options: DisconnectOptions): Promise<void> {
    using operation = new Operation('encrypted.disconnectVolume', options)
    const { path } = readDeviceInfo(deviceInfo)
    const look = async (): Promise<string[]> => {
      const paths = await this.#volume.paths(within(operation))
      return await operation.step('links', (signal) => linksOf(paths, signal))
    }
    const seen = await look()
    // As soon as the volume has gone, the next one may get its name, and with that its link.
    const named = path === undefined ? seen : [...seen, linkTo(path)]
    using _links = await operation.step('lock', (signal) => lockAll(named.map(linkKey), signal))
    // That may have happened while another call, which detached this volume, had the locks.
    const links = (await look()).filter((link) => seen.includes(link))
    const unlink = async (signal: AbortSignal): Promise<void> => {
      await removeLinks([...links, ...(await danglingLink(path, signal))], signal)
    }
    try {
      await this.#volume.disconnect(deviceInfo, { ...options, ...within(operation) })
    } catch (error) {
      // By force it fails when all of it has been removed. That failure says more than one of the links would.
      const unlinkIfGone = async (signal: AbortSignal): Promise<void> => {
        if ((await this.#volume.paths({ signal })).length === 0) await unlink(signal)
      }
      await operation.cleanup('unlink', unlinkIfGone).catch(() => undefined)
      throw error
    }
    await operation.step('unlink', unlink)
  }

  extend(options: ExtendOptions): Promise<number> {
    return this.#volume.extend(options)
  }

  paths(options: CallOptions): Promise<string[]> {
    return this.#volume.paths(options)
  }
}

const linkKey = (link: string): string => `link ${link}`

/** A link that whoever had the name before no longer removes. */
async function linkOf(path: string, signal: AbortSignal): Promise<string> {
  using _link = await lock(linkKey(linkTo(path)), signal)
  return await makeLink(path, signal)
}

/** The link that was made for this path, unless the path is another device's now: then so is the link. */
async function danglingLink(path: string | undefined, signal: AbortSignal): Promise<string[]> {
  return path === undefined || (await resolvePath(path, signal)) !== undefined ? [] : [linkTo(path)]
}
