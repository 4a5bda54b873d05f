/** Live changes of a host's storage, and the kernel's iSCSI events that they build on, against LIO and multipathd. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import { ISCSIConnector, watch } from 'hostbrick'
import type { DeviceInfo, HostChange } from 'hostbrick'
import { binding } from '../../../dist/binding.js'
import type { SessionEvent } from '../../../dist/binding.js'
import { listenToSessions } from '../../../dist/iscsi/session-events.js'
import { loadModules, run } from '../command.ts'
import { startIscsid, startMultipathd, type Daemon } from '../daemons.ts'
import { blackHole } from '../network.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'
import { until } from '../wait.ts'

const MEBIBYTE = 1024 * 1024
const IQN = 'iqn.2026-11.lab:watch'
const BACKING = '/tmp/watch'
const [PORTAL, SECOND] = ['127.0.0.1:3260', '127.0.0.2:3260']
const PORTALS = [PORTAL, SECOND]
const volume = { target_portal: PORTAL, target_iqn: IQN, target_lun: 0 }
const connector = new ISCSIConnector()

/** Takes down all that a watch tells, one line each. */
class Diary implements AsyncDisposable {
  readonly changes: HostChange[] = []
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>

  constructor() {
    this.#ended = this.#write(watch({ signal: this.#stop.signal }))
  }

  get lines(): string[] {
    return this.changes.map(line)
  }

  /** Waits until so many lines match. */
  async read(expected: RegExp, times = 1): Promise<void> {
    const isThere = (): boolean => this.count(expected) >= times
    await until(`${expected}`, isThere, 20_000).catch((cause: unknown) => {
      throw new Error(`not told: ${expected}, but ${JSON.stringify(this.lines, undefined, 1)}`, { cause })
    })
  }

  count(expected: RegExp): number {
    return this.lines.filter((text) => expected.test(text)).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await assert.rejects(this.#ended, { code: 'ABORTED' })
  }

  async #write(changes: AsyncIterable<HostChange>): Promise<void> {
    for await (const change of changes) this.changes.push(change)
  }
}

function line(change: HostChange): string {
  switch (change.kind) {
    case 'device': {
      const { name, size, map } = change.device
      const fields = change.change === 'changed' ? ` ${change.fields.join()}` : ''
      return `${map ? 'map' : name} ${change.change}${fields} ${size / MEBIBYTE}`
    }
    case 'session': {
      const { portal, state } = change.session
      return `session ${portal} ${change.change} ${change.change === 'error' ? change.error : state}`
    }
    case 'controller':
      return `controller ${change.controller.nqn} ${change.change} ${change.controller.state}`
    case 'path':
      return `path ${change.path} ${change.change} ${change.working}`
  }
}

const nameOf = ({ path }: { path: string }): string => path.replace('/dev/', '')
const hasIscsi = (): boolean => existsSync('/sys/module/scsi_transport_iscsi')
let early: Diary
/** Whether the kernel had iSCSI before the first watch, and with it. */
let iscsiBefore: readonly boolean[]
let iscsid: Daemon
let target: IscsiTarget
let clean: Snapshot

before(async () => {
  // As on a host that has just started. It is refused while something uses it.
  spawnSync('modprobe', ['--remove', '--quiet', 'iscsi_tcp', 'ib_iser', 'scsi_transport_iscsi'])
  const without = hasIscsi()
  early = new Diary()
  iscsiBefore = [without, hasIscsi()]
  iscsid = await startIscsid()
  target = iscsiTarget({ iqn: IQN, portals: PORTALS, luns: { 0: { megabytes: 64 } } })
  await connector.disconnectVolume(volume, await connector.connectVolume(volume))
  await settled()
  clean = snapshot()
})
after(async () => {
  await early[Symbol.asyncDispose]()
  target.remove()
  await iscsid.stop()
})
afterEach(async () => {
  await assertNothingLeft(clean)
})

const limit = { timeout: 90_000 }
const added = /^session 127.0.0.1:3260 added/
const removed = /^session 127.0.0.1:3260 removed/
/** A session may be found only when its login is done. */
const loggedIn = /^session 127.0.0.1:3260 (?:added|state) LOGGED_IN/

describe('the kernel', limit, () => {
  it('says when a session is made, unbound and destroyed', async () => {
    const events: (SessionEvent | undefined)[] = []
    using _listening = listenToSessions((event) => void events.push(event))
    await connector.disconnectVolume(volume, await connector.connectVolume(volume))
    await until('the session is destroyed', () => events.some((event) => event?.kind === 'destroyed'))
    console.log(JSON.stringify(events))
    const told = events.filter((event) => event !== undefined && event.kind !== 'failed')
    assert.deepEqual(
      told.map(({ kind }) => kind),
      ['created', 'unbound', 'destroyed'],
    )
    const [first] = told
    for (const event of told) assert.deepEqual({ ...event, kind: 'created' }, first)
  })
})

describe('a watch', limit, () => {
  it('does not have the kernel load iSCSI', (t) => {
    const [before, after] = iscsiBefore
    if (before) t.skip('something uses it')
    else assert.equal(after, false)
  })

  it('tells of a volume that is attached, grows and is detached, each once', async () => {
    await using diary = new Diary()
    const info = await connector.connectVolume(volume)
    const disk = nameOf(info)
    await diary.read(loggedIn)
    target.grow(0, 96)
    await connector.extendVolume(volume, { expectedBytes: 96 * MEBIBYTE })
    await diary.read(new RegExp(`^${disk} changed size 96$`))
    await connector.disconnectVolume(volume, info)
    // The session may be seen to have gone before its disk is looked at.
    await Promise.all([diary.read(removed), diary.read(new RegExp(`^${disk} removed`))])
    const { lines, changes } = diary
    console.log(lines.join('\n'))
    for (const once of [
      added,
      removed,
      ...['added 64', 'changed size 96', 'removed 96'].map((told) => `^${disk} ${told}$`),
    ]) {
      assert.equal(diary.count(new RegExp(once)), 1, String(once))
    }
    const session = changes.find(({ kind }) => kind === 'session')
    const device = changes.find(({ kind }) => kind === 'device')
    assert.ok(session?.kind === 'session' && device?.kind === 'device', 'both are told')
    assert.equal(device.device.scsi?.session, session.session.id)
    assert.ok(changes.indexOf(session) < changes.indexOf(device), 'a session is told before its disks')
  })

  it('tells the sum of what has happened to who has not asked', async () => {
    const changes = watch()
    const info = await connector.connectVolume(volume)
    // Begun before the volume was there, and asked for the first time now.
    const told: string[] = []
    for await (const change of changes) {
      told.push(line(change))
      if (told.some((text) => text.startsWith(`${nameOf(info)} added`))) break
    }
    assert.equal(told[0], `session ${PORTAL} added LOGGED_IN`)

    const idle = watch()
    const pending = idle.next()
    await connector.disconnectVolume(volume, info)
    const first = await pending
    assert.equal(first.done, false)
    await idle.return?.()
  })

  it('tells every change from when it has begun', async () => {
    loadModules('loop')
    writeFileSync(BACKING, '')
    const device = run('losetup', '--find', '--show', BACKING).trim()
    for (let pages = 1; pages <= 20; pages++) {
      const changes = watch()
      await changes.begun
      truncateSync(BACKING, pages * 4096)
      run('losetup', '--set-capacity', device)
      for await (const change of changes) {
        if (change.kind === 'device' && change.device.path === device && change.device.size === pages * 4096) break
      }
    }
    run('losetup', '--detach', device)
  })

  it('tells of a target that goes away and comes back', async () => {
    await using diary = new Diary()
    const info = await connector.connectVolume(volume)
    await diary.read(loggedIn)
    const logins = diary.count(loggedIn)
    const fault = blackHole('127.0.0.1', 3260)
    run('ss', '--kill', '--tcp', 'dst', '127.0.0.1', 'dport', '=', ':3260')
    await diary.read(/^session 127.0.0.1:3260 error \D/)
    await diary.read(/^session 127.0.0.1:3260 state FAILED/)
    fault.lift()
    await diary.read(loggedIn, logins + 1)
    await connector.disconnectVolume(volume, info)
    await diary.read(removed)
    console.log(diary.lines.join('\n'))
    await early.read(/^session 127.0.0.1:3260 error \D/)
  })

  it('closes all that it has opened when its loop ends', async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length
    const open = descriptors()
    let info: DeviceInfo | undefined
    const attached = connector.connectVolume(volume).then((device) => (info = device))
    for await (const change of watch()) if (change.kind === 'device') break
    await attached
    await connector.disconnectVolume(volume, info)
    await until('all is closed', () => descriptors() <= open)
    // The watch of the whole suite looks at the host, too, now and then.
    await until('no call is left', () => {
      const { queued, running, parked } = binding().laneStatistics()
      return queued + running + parked === 0
    })
  })
})

describe('a watch of a multipath map', limit, () => {
  const multipath = new ISCSIConnector({ useMultipath: true, enforceMultipath: true })
  const paths = { target_portals: PORTALS, target_iqns: [IQN, IQN], target_luns: [0, 0] }
  let multipathd: Daemon
  before(async () => {
    multipathd = await startMultipathd()
  })
  after(async () => {
    await multipathd.stop()
  })

  it('tells of its paths: added, failed, reinstated, removed', async () => {
    await using diary = new Diary()
    const info = await multipath.connectVolume(paths, { ready: 'all' })
    const [first = assert.fail('no path'), second = assert.fail('one path')] = info.paths.map(nameOf)
    const told = (name: string, change: string): RegExp => new RegExp(`^path /dev/${name} ${change}`)
    await diary.read(told(first, 'added'))
    await diary.read(told(second, 'added'))
    run('multipathd', 'fail', 'path', first)
    await diary.read(told(first, 'failed 1'))
    run('multipathd', 'reinstate', 'path', first)
    await diary.read(told(first, 'reinstated 2'))
    // The map's new table is told, and what the kernel completes only after it. How the path that stays does at this
    // moment is multipathd's business: it may give the kernel a table in which it has failed.
    run('multipathd', 'remove', 'path', second)
    await diary.read(told(second, 'removed'))
    await diary.read(/^map changed slaves/)
    await diary.read(new RegExp(`^${second} changed holders`))
    run('multipathd', 'add', 'path', second)
    await diary.read(told(second, 'added'), 2)
    await multipath.disconnectVolume(paths, info)
    await diary.read(/^map removed/)
    for (const path of [first, second]) await diary.read(new RegExp(`^${path} removed`))
    console.log(diary.lines.join('\n'))
    for (const once of [told(first, 'added'), told(first, 'removed'), /^map added 96/, /^map removed 96/]) {
      assert.equal(diary.count(once), 1, String(once))
    }
    const path = diary.changes.find(({ kind }) => kind === 'path')
    assert.ok(path?.kind === 'path', 'a path is told')
    assert.deepEqual([path.map.path, path.map.wwid], [info.path, info.multipath_id])
  })
})
