/** iSCSI over several paths, through the public API, against LIO and multipathd. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import { BrickError, ISCSIConnector, watch } from 'hostbrick'
import type { DeviceInfo, ErrorCode } from 'hostbrick'
import { run } from '../command.ts'
import { startIscsid, startMultipathd, type Daemon } from '../daemons.ts'
import { readDevice, writeDevice } from '../device.ts'
import { blackHole } from '../network.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'
import { until } from '../wait.ts'

const IQN = 'iqn.2026-11.lab:multipath'
const PORTALS = ['127.0.0.1:3260', '127.0.0.2:3260', '127.0.0.3:3260', '127.0.0.4:3260']
const MEBIBYTE = 1024 * 1024

/** The volume of LUN 0 by its first so many portals. */
function over(portals: readonly string[]): {
  target_portals: readonly string[]
  target_iqns: string[]
  target_luns: number[]
} {
  return { target_portals: portals, target_iqns: portals.map(() => IQN), target_luns: portals.map(() => 0) }
}

const volume = over(PORTALS.slice(0, 2))
const connector = new ISCSIConnector({ useMultipath: true, enforceMultipath: true })
const lenient = new ISCSIConnector({ useMultipath: true })
const single = new ISCSIConnector()

let iscsid: Daemon
let multipathd: Daemon
let target: IscsiTarget
let clean: Snapshot

before(async () => {
  noticeDeadPortalsSoon()
  iscsid = await startIscsid()
  multipathd = await startMultipathd()
  target = iscsiTarget({ iqn: IQN, portals: PORTALS, luns: { 0: { megabytes: 64 }, 11: { megabytes: 32 } } })
  await connector.disconnectVolume(volume, await connector.connectVolume(volume))
  await settled()
  clean = snapshot()
})
after(async () => {
  target.remove()
  await multipathd.stop()
  await iscsid.stop()
  renameSync('/etc/iscsi/iscsid.conf.before', '/etc/iscsi/iscsid.conf')
})
afterEach(async () => {
  await assertNothingLeft(clean)
})

describe('an attach over several portals', () => {
  it('is a map of two paths, which is written, read, extended and detached', async () => {
    const info = await connectWhole()
    assert.match(info.path, /^\/dev\/dm-\d+$/)
    assert.equal(info.multipath_id, info.scsi_wwn)
    assert.equal(info.degraded, false)
    assert.deepEqual(portalsOf(info), PORTALS.slice(0, 2))

    const content = randomBytes(MEBIBYTE)
    writeDevice(info.path, content)
    target.grow(0, 96)
    assert.equal(await connector.extendVolume(volume, { expectedBytes: 96 * MEBIBYTE }), 96 * MEBIBYTE)
    assert.equal(Number(run('blockdev', '--getsize64', info.path)), 96 * MEBIBYTE)
    assert.equal(await connector.extendVolume(volume), 96 * MEBIBYTE)
    await connector.disconnectVolume(volume, info)

    const again = await connector.connectVolume(volume)
    assert.equal(readDevice(again.path, content.length).equals(content), true)
    await connector.disconnectVolume(volume, again)
  })

  it('returns with the first path that can be used, and the others join', async () => {
    const info = await connector.connectVolume(volume, { ready: 'first' })
    assert.equal(readDevice(info.path, 512).length, 512)
    await until('both paths are in the map', () => pathsInMap(info).length === 2)
    await connector.disconnectVolume(volume, info)
  })

  it('takes four portals', async () => {
    const info = await connector.connectVolume(over(PORTALS), { ready: 'all' })
    assert.deepEqual(portalsOf(info), PORTALS)
    assert.equal(pathsInMap(info).length, 4)
    await connector.disconnectVolume(over(PORTALS), info)
  })

  it('finds the other portals by itself', async () => {
    const one = { target_portal: PORTALS[1], target_iqn: IQN, target_lun: 0 }
    const info = await connector.connectVolume(one, { ready: 'all' })
    assert.deepEqual(portalsOf(info), PORTALS)
    await connector.disconnectVolume(one, info)
  })

  it('of the same volume twice at once is the same device', async () => {
    const [first, second] = await Promise.all([connector.connectVolume(volume), connector.connectVolume(volume)])
    assert.deepEqual(second.identity, first.identity)
    await connector.disconnectVolume(volume, second)
  })

  it('does without a portal that is dead, says so, and has it join when it is back', async () => {
    const hole = blackHole('127.0.0.2', 3260)
    const info = await connector.connectVolume(volume, { ready: 'all', timeout: 8000 })
    assert.equal(info.degraded, true)
    assert.equal(info.expected_paths, 2)
    assert.deepEqual(portalsOf(info), PORTALS.slice(0, 1))
    assert.deepEqual(
      info.failures.map(({ portal }) => portal),
      [PORTALS[1]],
    )
    const changes = watch({ signal: AbortSignal.timeout(40_000) })
    hole.lift()
    for await (const change of changes) {
      if (change.kind === 'path' && change.change === 'added' && change.map.path === info.path) break
    }
    assert.equal(pathsInMap(info).length, 2)
    await connector.disconnectVolume(volume, info)
  })

  it('does not wait for a dead portal when one path is enough', async () => {
    const hole = blackHole('127.0.0.2', 3260)
    const info = await connector.connectVolume(volume, { timeout: 50_000 })
    const { total } = info.timings
    await connector.disconnectVolume(volume, info)
    hole.lift()
    assert.equal(info.degraded, true)
    // The probe of a dead portal would have half of the time.
    assert.equal(Number(total) < 12_000, true, `${total} ms`)
  })

  it('leaves no session when all fail that are in it, whoever has logged in', async () => {
    const hole = blackHole('127.0.0.2', 3260)
    const stops: AbortController[] = []
    const attaches: Promise<unknown>[] = []
    for (const lun of [0, 11]) {
      const stop = new AbortController()
      const attach = connector.connectVolume(
        { ...volume, target_luns: [lun, lun] },
        { ready: 'all', timeout: 60_000, signal: stop.signal },
      )
      attach.catch(() => undefined)
      stops.push(stop)
      attaches.push(attach)
      await until('its disk is there', () => scsiDisks() === attaches.length)
    }
    for (const [number, stop] of stops.entries()) {
      stop.abort()
      await rejects('ABORTED', attaches[number] ?? Promise.resolve())
    }
    hole.lift()
  })

  it('fails when no portal works, with every failure', async () => {
    const nowhere = over(['127.0.0.1:3998', '127.0.0.2:3999'])
    const error = await rejects('PORTAL_UNREACHABLE', connector.connectVolume(nowhere))
    assert.equal((error.details['failures'] as unknown[]).length, 2)
  })

  it('fails when every portal logs in and none shows the unit', async () => {
    await rejects('LUN_NOT_MAPPED', connector.connectVolume({ ...volume, target_luns: [1, 1] }))
  })

  it('refuses paths to different volumes', async () => {
    const mixed = { ...volume, target_luns: [0, 11] }
    await rejects('IDENTITY_MISMATCH', connector.connectVolume(mixed, { ready: 'all' }))
  })

  it('leaves nothing when it is aborted, at any moment', async () => {
    for (let delay = 0; delay <= 2400; delay += 300) {
      try {
        const info = await connector.connectVolume(volume, { ready: 'all', signal: AbortSignal.timeout(delay) })
        await connector.disconnectVolume(volume, info)
      } catch (error) {
        assert.equal(error instanceof BrickError && error.code, 'ABORTED', `after ${delay} ms: ${String(error)}`)
        assert.deepEqual((error as BrickError).details['undone'] ?? [], [], `after ${delay} ms`)
      }
      await assertNothingLeft(clean)
    }
  })
})

describe('a leftover map at the place of a new volume', () => {
  const place = { ...volume, target_luns: [11, 11] }

  it('is replaced by the new one', async () => {
    const old = await connector.connectVolume(place, { ready: 'all' })
    target.swap(11, { megabytes: 16 })
    const fresh = await connector.connectVolume(place, { ready: 'all' })
    assert.notEqual(fresh.scsi_wwn, old.scsi_wwn)
    assert.equal(fresh.size, 16 * MEBIBYTE)
    assert.equal(fresh.degraded, false)
    assert.equal(pathsInMap(fresh).length, 2)
    await connector.disconnectVolume(place, fresh)
  })

  it('is left alone while somebody uses it', async () => {
    const old = await connector.connectVolume(place, { ready: 'all' })
    run('dmsetup', 'create', 'lab-user', '--table', `0 2048 linear ${old.path} 0`)
    target.swap(11, { megabytes: 32 })
    await rejects('IDENTITY_MISMATCH', connector.connectVolume(place))
    assert.equal(pathsInMap(old).length, 2)
    run('dmsetup', 'remove', 'lab-user')
    await connector.disconnectVolume(place, old)
  })
})

describe('without a multipathd that makes maps', () => {
  it('an attach fails if a map is a must, and is single otherwise', async () => {
    await multipathd.stop()
    await rejects('MULTIPATH_FAILED', connector.connectVolume(volume))
    await rejects('MULTIPATH_FAILED', lenient.connectVolume({ ...volume, enforce_multipath: true }))
    const info = await lenient.connectVolume(volume)
    assert.match(info.path, /^\/dev\/sd/)
    assert.equal(info.degraded, true)
    assert.equal(info.expected_paths, 2)
    assert.equal(info.failures[0]?.code, 'MULTIPATH_FAILED')
    await lenient.disconnectVolume(volume, info)
    multipathd = await startMultipathd()
  })

  it('that is, one that ignores the disks, the same', async () => {
    await restartMultipathd('blacklist {\n  devnode ".*"\n}\n')
    await rejects('MULTIPATH_FAILED', connector.connectVolume(volume))
    const info = await lenient.connectVolume(volume)
    assert.match(info.path, /^\/dev\/sd/)
    assert.equal(info.degraded, true)
    await lenient.disconnectVolume(volume, info)
    await restartMultipathd()
  })

  it('an attach of one path gets its map from a multipathd that wants two', async () => {
    await restartMultipathd('defaults {\n  find_multipaths yes\n}\n')
    // Otherwise the other portals' paths, of earlier tests, would be known to it.
    run('multipath', '-W')
    const one = over(PORTALS.slice(0, 1))
    const info = await connector.connectVolume(one)
    assert.equal(pathsInMap(info).length, 1)
    await connector.disconnectVolume(one, info)
    await restartMultipathd()
  })

  it('a map is detached all the same', async () => {
    const info = await connectWhole()
    await multipathd.stop()
    await connector.disconnectVolume(volume, info)
    multipathd = await startMultipathd()
  })
})

describe('a detach', () => {
  it('needs no more than the properties, or what os-brick knows', async () => {
    await connector.connectVolume(volume)
    await connector.disconnectVolume(volume)
    const { path, scsi_wwn, multipath_id } = await connector.connectVolume(volume)
    await connector.disconnectVolume(volume, { type: 'block', path, scsi_wwn, multipath_id })
  })

  it('takes every path of the volume, whatever the properties say', async () => {
    const info = await connectWhole()
    await connector.disconnectVolume(over(PORTALS.slice(1, 2)), info)
    assert.equal(existsSync(info.path), false)
  })

  it('works when multipath was switched off since the attach', async () => {
    const info = await connector.connectVolume(volume)
    await single.disconnectVolume(volume, info)
  })

  it('works when multipath was switched on since the attach', async () => {
    const info = await single.connectVolume(volume)
    assert.match(info.path, /^\/dev\/sd/)
    await connector.disconnectVolume(volume, info)
  })

  it('of a mounted map is refused, and the map stays usable', async () => {
    const info = await connectWhole()
    run('mkfs.ext4', '-q', '-F', info.path)
    mkdirSync('/run/lab-mount', { recursive: true })
    run('mount', info.path, '/run/lab-mount')
    await rejects('DEVICE_IN_USE', connector.disconnectVolume(volume, info))
    writeFileSync('/run/lab-mount/file', 'still usable')
    const paths = pathsInMap(info)
    run('umount', '/run/lab-mount')
    assert.equal(paths.length, 2)
    await connector.disconnectVolume(volume, info)
  })

  it('does not take a map for one in use when multipathd is too busy to say', async () => {
    const info = await connectWhole()
    process.kill(multipathd.pid, 'SIGSTOP')
    // Longer than those who have a map open have to close it.
    setTimeout(() => process.kill(multipathd.pid, 'SIGCONT'), 11_000)
    await connector.disconnectVolume(volume, info)
  })

  it('resumes a map that was left suspended', async () => {
    const info = await connectWhole()
    run('dmsetup', 'suspend', '--noflush', mapName(info))
    await connector.disconnectVolume(volume, info)
  })

  it('leaves a holder that is no multipath map alone', async () => {
    await multipathd.stop()
    const info = await single.connectVolume(volume)
    run('dmsetup', 'create', 'lab-linear', '--table', `0 2048 linear ${info.path} 0`)
    await rejects('DEVICE_IN_USE', connector.disconnectVolume(volume, info))
    assert.equal(existsSync('/dev/mapper/lab-linear'), true)
    run('dmsetup', 'remove', 'lab-linear')
    await connector.disconnectVolume(volume, info)
    multipathd = await startMultipathd()
  })

  it('does not wait for a path whose portal has died', async () => {
    const info = await connectWhole()
    // A request of udev's that were on its way there would have to be waited for.
    await settled()
    const hole = blackHole('127.0.0.2', 3260)
    await until('a session has failed', () => sessionStates().includes('FAILED'))
    await connector.disconnectVolume(volume, info, { timeout: 20_000 })
    hole.lift()
  })

  it('takes the maps of partitions with it', async () => {
    const info = await connectWhole()
    const size = 2048
    run(
      'dmsetup',
      'create',
      `${mapName(info)}-part1`,
      '--uuid',
      `part1-mpath-${info.multipath_id ?? ''}`,
      '--table',
      `0 ${size} linear ${info.path} ${size}`,
    )
    await connector.disconnectVolume(volume, info)
  })
})

describe('an attached map whose portals have all died', () => {
  it('is detached by force in time, and nothing of it stays', async () => {
    const info = await connectWhole()
    const holes = ['127.0.0.1', '127.0.0.2'].map((address) => blackHole(address, 3260))
    // Nobody waits for this write: it can never be done.
    run('sh', '-c', `dd if=/dev/zero of=${info.path} bs=4096 count=1 >/dev/null 2>&1 &`)
    const start = performance.now()
    await connector.disconnectVolume(volume, info, { force: true, ignoreErrors: true, timeout: 60_000 })
    const milliseconds = performance.now() - start
    for (const hole of holes) hole.lift()
    assert.equal(milliseconds < 60_000, true, `${milliseconds} ms`)
    await assertNothingLeft(clean)
    assert.deepEqual(processesInDiskSleep(), [])
  })

  it('is not detached without force while something is unwritten, and queues as before', async () => {
    const info = await connectWhole()
    const name = mapName(info)
    for (const path of pathsInMap(info)) writeFileSync(`/sys/class/block/${path}/device/state`, 'offline\n')
    for (const path of pathsInMap(info)) run('multipathd', 'fail', 'path', path)
    run('sh', '-c', `dd if=/dev/zero of=${info.path} bs=4096 count=1 >/dev/null 2>&1 &`)
    // Till then nothing is unwritten, and the map would rightly go.
    await until('the write is waited for', () => processesInDiskSleep().some((line) => line.endsWith(' dd')))
    // From then on multipathd looks at every event of the map whether the retries are used up.
    await until('multipathd retries', () => /\d sec/.test(run('multipathd', 'show', 'maps', 'raw', 'format', '%Q')))
    await rejects('FLUSH_FAILED', connector.disconnectVolume(volume, info, { timeout: 20_000 }))
    assert.match(run('dmsetup', 'table', name), /queue_if_no_path/)
    run('dmsetup', 'message', name, '0', 'switch_group 1')
    await settled()
    assert.match(run('dmsetup', 'table', name), /queue_if_no_path/)
    await connector.disconnectVolume(volume, info, { force: true, ignoreErrors: true })
  })
})

describe('an extension', () => {
  it('does not grow the map while one path lags behind, and says which', async () => {
    const info = await connectWhole()
    const [lagging = ''] = pathsInMap(info)
    const size = Number(run('blockdev', '--getsize64', info.path))
    writeFileSync(`/sys/class/block/${lagging}/device/state`, 'offline\n')
    target.grow(0, 128)
    const error = await rejects('NOT_EXTENDED', connector.extendVolume(volume))
    assert.match(error.message, new RegExp(`/dev/${lagging}\\b`))
    assert.equal(Number(run('blockdev', '--getsize64', info.path)), size)
    writeFileSync(`/sys/class/block/${lagging}/device/state`, 'running\n')
    assert.equal(await connector.extendVolume(volume), 128 * MEBIBYTE)
    assert.equal(Number(run('blockdev', '--getsize64', info.path)), 128 * MEBIBYTE)
    await connector.disconnectVolume(volume, info)
  })

  it('of a volume that is not attached is refused', async () => {
    await rejects('DEVICE_NOT_FOUND', connector.extendVolume(volume))
  })
})

/** The volume with both its paths. */
async function connectWhole(): Promise<DeviceInfo> {
  const info = await connector.connectVolume(volume, { ready: 'all' })
  assert.deepEqual(info.failures, [])
  assert.equal(pathsInMap(info).length, 2)
  return info
}

async function rejects(code: ErrorCode, call: Promise<unknown>): Promise<BrickError> {
  const error: unknown = await call.then(
    (value) => assert.fail(`it succeeded: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  assert.equal(error instanceof BrickError && error.code, code, String(error))
  return error as BrickError
}

async function restartMultipathd(configuration?: string): Promise<void> {
  await multipathd.stop()
  multipathd = await startMultipathd(configuration)
}

/** By default iscsid takes 10 s to notice that a portal does not answer any more. */
function noticeDeadPortalsSoon(): void {
  const file = '/etc/iscsi/iscsid.conf'
  const text = readFileSync(file, 'utf8')
  writeFileSync(`${file}.before`, text)
  const settings = ['node.conn[0].timeo.noop_out_interval = 1', 'node.conn[0].timeo.noop_out_timeout = 1']
  writeFileSync(file, [text, ...settings, ''].join('\n'))
}

function portalsOf({ paths }: DeviceInfo): string[] {
  return paths.map(({ portal }) => portal).sort()
}

function pathsInMap({ path }: DeviceInfo): string[] {
  const folder = `/sys/class/block/${path.replace('/dev/', '')}/slaves`
  return existsSync(folder) ? readdirSync(folder).sort() : []
}

function sessionStates(): string[] {
  const folder = '/sys/class/iscsi_session'
  return readdirSync(folder).map((name) => readFileSync(`${folder}/${name}/state`, 'utf8').trim())
}

function scsiDisks(): number {
  return readdirSync('/sys/class/block').filter((name) => name.startsWith('sd')).length
}

function mapName({ path }: DeviceInfo): string {
  return readFileSync(`/sys/class/block/${path.replace('/dev/', '')}/dm/name`, 'utf8').trim()
}

/** Waiting in the kernel for a device that does not answer. */
function processesInDiskSleep(): string[] {
  return run('ps', '-eo', 'state,comm')
    .split('\n')
    .filter((line) => line.startsWith('D'))
}
