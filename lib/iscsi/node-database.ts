import { once } from 'node:events'
import { watch } from 'node:fs'
import { binding, failedWith, finish } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { listDirectory } from '../files.ts'
import type { NodeRecords, NodeSettings, TargetPortal } from './initiator.ts'
import { nodeRecordAddress } from './portal.ts'

/** Where distributions compile open-iscsi's database to be (ISCSI_DB_ROOT): Debian 13 and Fedora, Debian 12 and SUSE. */
const roots = ['/var/lib/iscsi', '/etc/iscsi']
const configuration = '/etc/iscsi/iscsid.conf'
const lockFolder = '/run/lock/iscsi'
/** Milliseconds that another program may hold the database before we give up; its own limit is 30 s. */
const lockPatience = 5000

const lane = 'iscsi-database'

/**
 * The node records from which iscsid's sessions are made, as files: open-iscsi, usr/idbm.c.
 *
 * A record made for one portal without a portal group is the file nodes/NAME/ADDRESS,PORT; records that discovery made
 * are files in a folder ADDRESS,PORT,GROUP. Only the former are ever written or removed here.
 */
export class NodeDatabase implements NodeRecords {
  readonly #root: string

  private constructor(root: string) {
    this.#root = root
  }

  /** The database of this host; undefined when it is not clear where that is. */
  static async open(signal: AbortSignal): Promise<NodeDatabase | undefined> {
    const found = []
    for (const root of roots) {
      const names = (await listDirectory(root, signal)) ?? []
      if (names.includes('nodes') || names.includes('ifaces')) found.push(root)
    }
    const [root, ...others] = found
    return root === undefined || others.length > 0 ? undefined : new NodeDatabase(root)
  }

  async read(target: TargetPortal, signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await finish(binding().readFile(lane, this.#file(target)), signal)).toString()
    } catch (error) {
      if (failedWith(error, 'ENOENT', 'EISDIR')) return undefined
      throw error
    }
  }

  async create(target: TargetPortal, settings: NodeSettings, signal: AbortSignal): Promise<void> {
    await this.restore(target, await nodeRecord(target, settings, signal), signal)
  }

  /** Readers see the old record or the new one, whole. */
  async restore(target: TargetPortal, record: string, signal: AbortSignal): Promise<void> {
    await this.#locked(signal, async () => {
      for (const folder of [`${this.#root}/nodes`, this.#folder(target)]) {
        await unless('EEXIST', finish(binding().makeDirectory(lane, folder, 0o700), signal))
      }
      // In the root, which open-iscsi never lists: any name below nodes/ would be read as a target.
      const draft = `${this.#root}/.hostbrick-${process.pid}`
      await unless('ENOENT', finish(binding().unlinkFile(lane, draft), signal))
      await finish(binding().createFile(lane, draft, record, 0o600), signal)
      await finish(binding().renameFile(lane, draft, this.#file(target)), signal)
    })
  }

  /** The target's folder goes too when this was the last record in it. */
  async remove(target: TargetPortal, signal: AbortSignal): Promise<void> {
    if ((await this.read(target, signal)) === undefined) return
    await this.#locked(signal, async () => {
      await unless('ENOENT', finish(binding().unlinkFile(lane, this.#file(target)), signal))
      await unless(['ENOTEMPTY', 'ENOENT'], finish(binding().removeDirectory(lane, this.#folder(target)), signal))
    })
  }

  #folder({ iqn }: TargetPortal): string {
    return `${this.#root}/nodes/${iqn}`
  }

  #file(target: TargetPortal): string {
    return `${this.#folder(target)}/${nodeRecordAddress(target.portal)},${target.portal.port}`
  }

  /** Under open-iscsi's own lock: a hard link that exists while somebody has it (idbm_lock). */
  async #locked(signal: AbortSignal, run: () => Promise<void>): Promise<void> {
    await unless('EEXIST', finish(binding().makeDirectory(lane, lockFolder, 0o755), signal))
    await unless('EEXIST', finish(binding().createFile(lane, `${lockFolder}/lock`, '', 0o600), signal))
    await takeLock(signal)
    try {
      await run()
    } finally {
      await finish(binding().unlinkFile(lane, `${lockFolder}/lock.write`), new AbortController().signal)
    }
  }
}

async function takeLock(signal: AbortSignal): Promise<void> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(lockPatience)])
  const watcher = watch(lockFolder)
  try {
    for (;;) {
      // Listening before the try, so that no release is missed; after a successful one nobody cares how this ends.
      const changed = once(watcher, 'change', { signal: patience })
      changed.catch(() => undefined)
      try {
        await finish(binding().linkFile(lane, `${lockFolder}/lock`, `${lockFolder}/lock.write`), signal)
        return
      } catch (error) {
        if (!failedWith(error, 'EEXIST')) throw error
      }
      await changed
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!patience.aborted) throw error
    throw new BrickError('BUSY', `${lockFolder}/lock.write has been held for ${lockPatience} ms by another program`, {
      details: { lock: `${lockFolder}/lock.write` },
    })
  } finally {
    watcher.close()
  }
}

/** The record of a portal: the host's own defaults, and on top of them `settings`. Keys that are left out have open-iscsi's. */
export async function nodeRecord(target: TargetPortal, settings: NodeSettings, signal: AbortSignal): Promise<string> {
  const values = new Map([
    ['node.name', target.iqn],
    ['node.tpgt', '-1'],
    ['node.startup', 'manual'],
    ['iface.iscsi_ifacename', 'default'],
    ['iface.transport_name', 'tcp'],
    ['node.discovery_type', 'static'],
    ...(await hostDefaults(signal)),
    ['node.conn[0].address', nodeRecordAddress(target.portal)],
    ['node.conn[0].port', String(target.portal.port)],
    ...settings,
  ])
  const lines = [...values].map(([name, value]) => `${name} = ${value}`)
  return ['# BEGIN RECORD hostbrick', ...lines, '# END RECORD', ''].join('\n')
}

/** The `node.…` settings of iscsid.conf, which iscsiadm copies into every record that it makes. */
async function hostDefaults(signal: AbortSignal): Promise<NodeSettings> {
  try {
    const text = await finish(binding().readFile(lane, configuration), signal)
    return parseNodeSettings(text.toString())
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return new Map()
    throw error
  }
}

/** Reads 'name = value' lines, of iscsid.conf or of a record, and keeps what concerns nodes. */
export function parseNodeSettings(text: string): NodeSettings {
  const settings = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, name, value] = /^\s*(node\.[^\s=]+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (name !== undefined && value !== undefined) settings.set(name, value)
  }
  return settings
}

/** For a step that somebody else may have taken already. */
async function unless(codes: string | readonly string[], action: Promise<void>): Promise<void> {
  try {
    await action
  } catch (error) {
    if (!failedWith(error, ...[codes].flat())) throw error
  }
}
