import { once } from 'node:events'
import { watch } from 'node:fs'
import { constants } from 'node:os'
import { binding, failedWith, finish } from '../binding.ts'
import type { FileOperation } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { listDirectory } from '../files.ts'
import type { NodeRecords, NodeSettings, TargetPortal } from './initiator.ts'
import { nodeRecordAddress } from './portal.ts'

/** Where distributions compile open-iscsi's database to be (ISCSI_DB_ROOT): Debian 13 and Fedora, Debian 12 and SUSE. */
const roots = ['/var/lib/iscsi', '/etc/iscsi']
const configuration = '/etc/iscsi/iscsid.conf'
const lockFolder = '/run/lock/iscsi'
const lockFile = `${lockFolder}/lock`
/** Exists while somebody has the database: a hard link to the file above (idbm_lock). */
const heldLock = `${lockFolder}/lock.write`
/** Milliseconds that another program may hold the database before we give up; its own limit is 30 s. */
const lockPatience = 5000

const lane = 'iscsi-database'
const { EEXIST, ENOENT, ENOTEMPTY } = constants.errno

/**
 * The node records from which iscsid's sessions are made, as files: open-iscsi, usr/idbm.c.
 *
 * A record made for one portal without a portal group is the file nodes/NAME/ADDRESS,PORT; records that discovery made
 * are files in a folder ADDRESS,PORT,GROUP. Only the former are ever written or removed here.
 */
export class NodeDatabase implements NodeRecords {
  static #known: NodeDatabase | undefined
  readonly #root: string

  private constructor(root: string) {
    this.#root = root
  }

  /** The database of this host; undefined when it is not clear where that is. */
  static async open(signal: AbortSignal): Promise<NodeDatabase | undefined> {
    return (this.#known ??= await this.#find(signal))
  }

  static async #find(signal: AbortSignal): Promise<NodeDatabase | undefined> {
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
    // In the root, which open-iscsi never lists: any name below nodes/ would be read as a target.
    const draft = `${this.#root}/.hostbrick-${process.pid}`
    await changeLocked(signal, [
      { verb: 'makeDirectory', path: `${this.#root}/nodes`, mode: 0o700, unless: [EEXIST] },
      { verb: 'makeDirectory', path: this.#folder(target), mode: 0o700, unless: [EEXIST] },
      { verb: 'unlink', path: draft, unless: [ENOENT] },
      { verb: 'createFile', path: draft, content: record, mode: 0o600 },
      { verb: 'rename', from: draft, to: this.#file(target) },
    ])
  }

  /** The target's folder goes too when this was the last record in it. */
  async remove(target: TargetPortal, signal: AbortSignal): Promise<void> {
    if ((await this.read(target, signal)) === undefined) return
    await changeLocked(signal, [
      { verb: 'unlink', path: this.#file(target), unless: [ENOENT] },
      { verb: 'removeDirectory', path: this.#folder(target), unless: [ENOTEMPTY, ENOENT] },
    ])
  }

  #folder({ iqn }: TargetPortal): string {
    return `${this.#root}/nodes/${iqn}`
  }

  #file(target: TargetPortal): string {
    return `${this.#folder(target)}/${nodeRecordAddress(target.portal)},${target.portal.port}`
  }
}

/** Changes the database under open-iscsi's own lock. */
async function changeLocked(signal: AbortSignal, operations: readonly FileOperation[]): Promise<void> {
  await takeLock(signal)
  // From here on nothing may keep the lock from being given back: not even the caller's own impatience.
  const calm = new AbortController().signal
  const unlock: FileOperation = { verb: 'unlink', path: heldLock, unless: [ENOENT] }
  try {
    await finish(binding().changeFiles(lane, [...operations, unlock]), calm)
  } catch (error) {
    await finish(binding().changeFiles(lane, [unlock]), calm)
    throw error
  }
}

async function takeLock(signal: AbortSignal): Promise<void> {
  const take: readonly FileOperation[] = [
    { verb: 'makeDirectory', path: lockFolder, mode: 0o755, unless: [EEXIST] },
    { verb: 'createFile', path: lockFile, content: '', mode: 0o600, unless: [EEXIST] },
    { verb: 'link', from: lockFile, to: heldLock },
  ]
  if (await succeeds(take, signal)) return

  const patience = AbortSignal.any([signal, AbortSignal.timeout(lockPatience)])
  const watcher = watch(lockFolder)
  try {
    for (;;) {
      // Listening before the try, so that no release is missed; after a successful one nobody cares how this ends.
      const changed = once(watcher, 'change', { signal: patience })
      changed.catch(() => undefined)
      if (await succeeds(take, signal)) return
      await changed
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!patience.aborted) throw error
    throw new BrickError('BUSY', `${heldLock} has been held for ${lockPatience} ms by another program`, {
      details: { lock: heldLock },
    })
  } finally {
    watcher.close()
  }
}

/** False when somebody else has the lock. An abort cannot leave it taken: whoever gives up waits for the outcome. */
async function succeeds(take: readonly FileOperation[], signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted()
  try {
    await finish(binding().changeFiles(lane, take), new AbortController().signal)
    return true
  } catch (error) {
    if (failedWith(error, 'EEXIST')) return false
    throw error
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
