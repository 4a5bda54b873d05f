import { once } from 'node:events'
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { withDeadline } from '../abort.ts'
import { binding, finish, SystemError } from '../binding.ts'
import type { FileOperation } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { listDirectory, readFile } from '../files.ts'
import type { NodeRecords, RecordDraft } from './open-iscsi.ts'
import { nodeRecord, parseSettings } from './node-settings.ts'
import type { NodeSettings } from './node-settings.ts'
import { nodeRecordAddress } from './portal.ts'
import type { TargetPortal } from './portal.ts'

/** Where distributions compile open-iscsi's database to be (ISCSI_DB_ROOT): Debian 13 and Fedora, Debian 12 and SUSE. */
const roots = ['/var/lib/iscsi', '/etc/iscsi']
const lockFolder = '/run/lock/iscsi'
const lockFile = `${lockFolder}/lock`
/** Exists while somebody has the database: a hard link to the file above (idbm_lock). */
const heldLock = `${lockFolder}/lock.write`
/** Milliseconds that another program may hold the database before we give up; its own limit is 30 s. */
const lockPatience = 5000

const lane = 'iscsi-database'
const { EEXIST, ENOENT, ENOTEMPTY } = constants.errno
/** For what must be carried through, whatever the caller's own signal says. */
const calm = new AbortController().signal

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

  async keep(target: TargetPortal, signal: AbortSignal): Promise<(late: AbortSignal) => Promise<void>> {
    const record = await this.#read(target, signal)
    return (late) => (record === undefined ? this.remove(target, late) : this.#write(target, record, late))
  }

  async draft(target: TargetPortal, settings: NodeSettings, signal: AbortSignal): Promise<RecordDraft> {
    const record = await nodeRecord(target, settings, signal)
    return { settings: parseSettings(record), write: (late) => this.#write(target, record, late) }
  }

  /** The target's folder goes too when this was the last record in it. */
  async remove(target: TargetPortal, signal: AbortSignal): Promise<void> {
    if ((await this.#read(target, signal)) === undefined) return
    await changeLocked(signal, [
      { verb: 'unlink', path: this.#file(target), unless: [ENOENT] },
      { verb: 'removeDirectory', path: this.#folder(target), unless: [ENOTEMPTY, ENOENT] },
    ])
  }

  async #read(target: TargetPortal, signal: AbortSignal): Promise<string | undefined> {
    return (await readFile(lane, this.#file(target), signal, ['ENOENT', 'EISDIR']))?.toString()
  }

  /** Readers see the old record or the new one, whole. */
  async #write(target: TargetPortal, record: string, signal: AbortSignal): Promise<void> {
    // In the root, which open-iscsi never lists: any name below nodes/ would be read as a target. One name for all, which
    // the lock guards: what a crash has left, with a password in it perhaps, goes with the next record.
    const draft = `${this.#root}/.hostbrick-draft`
    const drop: FileOperation = { verb: 'unlink', path: draft, unless: [ENOENT] }
    const change: readonly FileOperation[] = [
      { verb: 'makeDirectory', path: `${this.#root}/nodes`, mode: 0o700, unless: [EEXIST] },
      { verb: 'makeDirectory', path: this.#folder(target), mode: 0o700, unless: [EEXIST] },
      drop,
      { verb: 'createFile', path: draft, content: record, mode: 0o600 },
      { verb: 'rename', from: draft, to: this.#file(target) },
    ]
    await changeLocked(signal, change, [drop])
  }

  #folder({ iqn }: TargetPortal): string {
    return `${this.#root}/nodes/${iqn}`
  }

  #file(target: TargetPortal): string {
    return `${this.#folder(target)}/${nodeRecordAddress(target.portal)},${target.portal.port}`
  }
}

/**
 * Changes the database under open-iscsi's own lock, which is taken, used and given back in one go. When the change
 * fails, `mend` is done before the lock is given back.
 */
async function changeLocked(
  signal: AbortSignal,
  change: readonly FileOperation[],
  mend: readonly FileOperation[] = [],
): Promise<void> {
  if (await succeeds(change, mend, signal)) return

  const patience = withDeadline(signal, lockPatience)
  const watcher = watchIfPossible(lockFolder)
  try {
    for (;;) {
      // Listening before the try, so that no release is missed; after a successful one nobody cares how this ends.
      const changed = watcher
        ? once(watcher, 'change', { signal: patience })
        : delay(50, undefined, { signal: patience })
      changed.catch(() => undefined)
      if (await succeeds(change, mend, signal)) return
      await changed
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!patience.aborted) throw error
    throw new BrickError('BUSY', `${heldLock} has been held for ${lockPatience} ms by another program`, {
      details: { lock: heldLock },
    })
  } finally {
    watcher?.close()
  }
}

/** Undefined where this user's inotify instances are all in use. */
function watchIfPossible(folder: string): FSWatcher | undefined {
  try {
    return watch(folder)
  } catch (error) {
    if (['EMFILE', 'ENOSPC'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** False when somebody else has the lock. Whoever gives up waits for the outcome: an abort cannot leave the lock taken. */
async function succeeds(
  change: readonly FileOperation[],
  mend: readonly FileOperation[],
  signal: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted()
  const lock: FileOperation = { verb: 'link', from: lockFile, to: heldLock }
  const unlock: FileOperation = { verb: 'unlink', path: heldLock, unless: [ENOENT] }
  try {
    await carryOut([lock, ...change, unlock])
    return true
  } catch (error) {
    const locked = !(error instanceof SystemError && error.syscall === 'link')
    if (locked) {
      await carryOut([...mend, unlock])
      throw error
    }
    if (error.code === 'EEXIST') return false
    if (error.code !== 'ENOENT') throw error
  }
  // Nobody has used the database since the host was started.
  await carryOut([
    { verb: 'makeDirectory', path: lockFolder, mode: 0o755, unless: [EEXIST] },
    { verb: 'createFile', path: lockFile, content: '', mode: 0o600, unless: [EEXIST] },
  ])
  return succeeds(change, mend, signal)
}

/** Nothing may keep the lock from being given back: not even the caller's own impatience. */
async function carryOut(operations: readonly FileOperation[]): Promise<void> {
  await finish(binding().changeFiles(lane, operations), calm)
}
