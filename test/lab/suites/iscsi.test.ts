/** iSCSI over one path, through the public API, against LIO. */
import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { BrickError, inventory, ISCSIConnector } from 'hostbrick'
import type { DeviceInfo, ErrorCode } from 'hostbrick'
import { run } from '../command.ts'
import { startIscsid, type Daemon } from '../daemons.ts'
import { readDevice, writeDevice } from '../device.ts'
import { blackHole } from '../network.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'
import { until } from '../wait.ts'

const IQN = 'iqn.2026-11.lab:iscsi'
const PORTAL = '127.0.0.1:3260'
const MEBIBYTE = 1024 * 1024

const volume = { target_portal: PORTAL, target_iqn: IQN, target_lun: 0 }
const neighbour = { ...volume, target_lun: 11 }
const connector = new ISCSIConnector()

let iscsid: Daemon
let target: IscsiTarget
let clean: Snapshot

before(async () => {
  iscsid = await startIscsid()
  target = iscsiTarget({
    iqn: IQN,
    portals: [PORTAL, '[::1]:3260'],
    luns: { 0: { megabytes: 64 }, 11: { megabytes: 32 } },
  })
  // What the initiator's own tools make once and keep is no residue of an attach.
  await connector.disconnectVolume(volume, await connector.connectVolume(volume))
  await settled()
  clean = snapshot()
})
after(async () => {
  target.remove()
  await iscsid.stop()
})
afterEach(async () => {
  await assertNothingLeft(clean)
})

describe('a volume', () => {
  it('is attached, written, read back, extended and detached', async () => {
    const content = randomBytes(MEBIBYTE)
    const first = await connector.connectVolume(volume)
    assert.equal(first.size, 64 * MEBIBYTE)
    assert.equal(first.scsi_wwn, wwnOfSerial(target.serial(0)))
    assert.deepEqual(
      first.paths.map(({ portal }) => portal),
      [PORTAL],
    )
    writeDevice(first.path, content)

    target.grow(0, 96)
    assert.equal(await connector.extendVolume(volume, { expectedBytes: 96 * MEBIBYTE }), 96 * MEBIBYTE)
    assert.equal(sizeOf(first.path), 96 * MEBIBYTE)
    await rejects('NOT_EXTENDED', connector.extendVolume(volume, { expectedBytes: 97 * MEBIBYTE }))
    await connector.disconnectVolume(volume, first)
    await assertNothingLeft(clean)

    const second = await connector.connectVolume(volume)
    assert.equal(second.identity.value, first.identity.value)
    assert.notEqual(second.identity.diskseq, first.identity.diskseq)
    assert.ok(readDevice(second.path, content.length).equals(content))
    await connector.disconnectVolume(volume, second)
  })

  it('is attached and detached 20 times in one process', async () => {
    const identities = new Set<string>()
    for (let round = 0; round < 20; round++) {
      const info = await connector.connectVolume(volume)
      identities.add(info.identity.value)
      await connector.disconnectVolume(volume, info)
    }
    assert.equal(identities.size, 1)
  })

  it('is called what the kernel and udev call it', async () => {
    const info = await connector.connectVolume(volume)
    await settled()
    const disk = (await inventory()).byWwid.get(info.identity.value)?.[0]
    assert.ok(disk)
    assert.equal(disk.path, info.path)
    assert.equal(disk.transport, 'iscsi')
    assert.equal(disk.identity?.names.kernel, readFileSync(`/sys/class/block/${disk.name}/device/wwid`, 'utf8').trim())
    const udev = run('udevadm', 'info', '--query=property', `--name=${info.path}`)
    assert.equal(/^ID_SERIAL=(.*)$/m.exec(udev)?.[1], info.scsi_wwn)
    await connector.disconnectVolume(volume, info)
  })

  it('is the same device when it is attached twice, and gone when it is detached once', async () => {
    const [first, second] = await Promise.all([connector.connectVolume(volume), connector.connectVolume(volume)])
    assert.deepEqual(second.identity, first.identity)
    await connector.disconnectVolume(volume, first)
    await connector.disconnectVolume(volume, second)
  })

  it('is found in whatever form its properties come', async () => {
    const forms: unknown[] = [
      { ...volume, target_lun: '0' },
      { driver_volume_type: 'iscsi', data: volume },
      { ...volume, target_portal: '127.0.0.1' },
      { ...volume, target_portal: '[0:0:0:0:0:0:0:1]:3260' },
      { ...volume, target_portal: 'localhost:3260' },
      { target_portals: ['127.0.0.1:3999', PORTAL], target_iqns: [IQN, IQN], target_luns: [0, 0] },
    ]
    for (const form of forms) {
      const info = await connector.connectVolume(form)
      assert.equal(info.scsi_wwn, wwnOfSerial(target.serial(0)), JSON.stringify(form))
      assert.deepEqual(await connector.getVolumePaths(form), [info.path])
      assert.equal(await connector.checkValidDevice(info.path), true)
      await connector.disconnectVolume(form, info)
    }
  })

  it('is detached by its properties alone, and by what os-brick knows of it', async () => {
    await connector.connectVolume(volume)
    await connector.disconnectVolume(volume)
    const { path, scsi_wwn } = await connector.connectVolume(volume)
    await connector.disconnectVolume(volume, { type: 'block', path, scsi_wwn })
  })

  it('leaves its neighbour in the same session alone', async () => {
    const [info, other] = await Promise.all([connector.connectVolume(volume), connector.connectVolume(neighbour)])
    await connector.disconnectVolume(volume, info)
    assert.ok(existsSync(other.path))
    assert.equal(readDevice(other.path, 512).length, 512)
    await connector.disconnectVolume(neighbour, other)
  })

  it('comes into a session that its neighbour, the only one in it, is about to end', async () => {
    let [leaving, coming] = [volume, neighbour]
    let info = await connector.connectVolume(leaving)
    for (const milliseconds of [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]) {
      const attach = sleep(milliseconds).then(() => connector.connectVolume(coming))
      const [, next] = await Promise.all([connector.disconnectVolume(leaving, info), attach])
      assert.equal(readDevice(next.path, 512).length, 512)
      ;[leaving, coming, info] = [coming, leaving, next]
    }
    await connector.disconnectVolume(leaving, info)
  })
})

it('a volume is not mistaken for one whose names go on where its own end', async () => {
  const places = [
    { portal: '127.0.0.1:3261', iqn: `${IQN}:1`, lun: 1 },
    { portal: '127.0.0.11:3261', iqn: `${IQN}:10`, lun: 11 },
  ] as const
  const luns = { 1: { megabytes: 8 }, 11: { megabytes: 8 } }
  const targets = places.map(({ portal, iqn }) => iscsiTarget({ iqn, portals: [portal], luns }))
  const [short, long] = places.map(({ portal, iqn, lun }) => ({
    target_portal: portal,
    target_iqn: iqn,
    target_lun: lun,
  }))
  const info = await connector.connectVolume(long)
  assert.deepEqual(await connector.getVolumePaths(short), [])
  await connector.disconnectVolume(short)
  assert.equal(readDevice(info.path, 512).length, 512)
  const other = await connector.connectVolume(short)
  assert.notEqual(other.scsi_wwn, info.scsi_wwn)
  await connector.disconnectVolume(long)
  assert.equal(readDevice(other.path, 512).length, 512)
  await connector.disconnectVolume(short)
  for (const each of targets) each.remove()
})

describe('what cannot be attached', () => {
  it('is a volume behind a closed port', async () => {
    await rejects('PORTAL_UNREACHABLE', connector.connectVolume({ ...volume, target_portal: '127.0.0.1:3999' }))
  })

  it('is a volume behind a black hole, which is given up in time', async () => {
    const hole = blackHole('127.0.0.1', 3260)
    const start = performance.now()
    await rejects('TIMEOUT', connector.connectVolume(volume, { timeout: 2000 }))
    const milliseconds = performance.now() - start
    hole.lift()
    // The kernel itself goes on for two minutes; a busy machine may be late by a little.
    assert.ok(milliseconds < 10_000, `${milliseconds} ms`)
  })

  it('is not a volume with a black hole before its portal', async () => {
    const portals = ['127.0.0.4:3260', PORTAL]
    const properties = { target_portals: portals, target_iqns: [IQN, IQN], target_luns: [0, 0] }
    const hole = blackHole('127.0.0.4', 3260)
    const info = await connector.connectVolume(properties, { timeout: 12_000 })
    hole.lift()
    assert.deepEqual(
      info.paths.map(({ portal }) => portal),
      [PORTAL],
    )
    await connector.disconnectVolume(properties, info)
  })

  it('is a volume of an unknown target', async () => {
    await rejects('TARGET_NOT_FOUND', connector.connectVolume({ ...volume, target_iqn: `${IQN}0` }))
  })

  it('is a LUN that is not mapped', async () => {
    await rejects('LUN_NOT_MAPPED', connector.connectVolume({ ...volume, target_lun: 1 }))
    const other = await connector.connectVolume(neighbour)
    await rejects('LUN_NOT_MAPPED', connector.connectVolume({ ...volume, target_lun: 1 }))
    assert.ok(existsSync(other.path), 'the session had another user')
    await connector.disconnectVolume(neighbour, other)
  })

  it('is a volume that is not the one expected', async () => {
    const wwn = wwnOfSerial(randomUUID())
    await rejects('IDENTITY_MISMATCH', connector.connectVolume({ ...volume, wwn }))
  })

  const malformed: Record<string, unknown> = {
    'LUN x': { ...volume, target_lun: 'x' },
    'no portal': { target_iqn: IQN, target_lun: 0 },
    'no target name': { target_portal: PORTAL, target_lun: 0 },
    'a portal with a port of 0': { ...volume, target_portal: '127.0.0.1:0' },
    'fewer LUNs than portals': { target_portals: [PORTAL, PORTAL], target_iqns: [IQN, IQN], target_luns: [0] },
    nothing: undefined,
  }
  for (const [name, properties] of Object.entries(malformed)) {
    it(`is ${name}`, async () => {
      await rejects('INVALID_ARGUMENT', connector.connectVolume(properties))
    })
  }
})

describe('an aborted attach', () => {
  it('before it began does nothing', async () => {
    await rejects('ABORTED', connector.connectVolume(volume, { signal: AbortSignal.abort() }))
  })

  it('while a target is silent from the beginning', async () => {
    const silent = await listenSilently(0)
    const properties = { ...volume, target_portal: `127.0.0.1:${silent.port}` }
    const abort = new AbortController()
    const attach = connector.connectVolume(properties, { signal: abort.signal })
    await silent.asked
    abort.abort()
    await rejects('ABORTED', attach)
    silent.close()
  })

  it('while iscsid logs in to a target that has fallen silent', async () => {
    const silent = await listenSilently(1)
    const properties = { ...volume, target_portal: `127.0.0.1:${silent.port}` }
    const abort = new AbortController()
    const attach = connector.connectVolume(properties, { signal: abort.signal, timeout: 4000 })
    await silent.asked
    abort.abort()
    await rejects('ABORTED', attach)
    // iscsid cannot be told to stop, but it was told beforehand for how long to try.
    await until('iscsid has given up', () => sessions() === '', 20_000)
    silent.close()
  })

  it('at any moment', async () => {
    // As many moments as fit into an attach: during the login, the scan and all between.
    for (let delay = 0; delay <= 400; delay += 20) {
      const abort = AbortSignal.timeout(delay)
      try {
        const info = await connector.connectVolume(volume, { signal: abort })
        await connector.disconnectVolume(volume, info)
      } catch (error) {
        assert.ok(error instanceof BrickError && error.code === 'ABORTED', `after ${delay} ms: ${String(error)}`)
        assert.deepEqual(error.details['undone'] ?? [], [])
      }
      assert.equal(sessions(), '', `after ${delay} ms`)
    }
  })
})

describe('a detach', () => {
  it('of a mounted device is refused, and the device stays usable', async () => {
    const info = await connector.connectVolume(volume)
    run('mkfs.ext4', '-q', '-F', info.path)
    mkdirSync('/run/lab-mount', { recursive: true })
    run('mount', info.path, '/run/lab-mount')
    await rejects('DEVICE_IN_USE', connector.disconnectVolume(volume, info))
    writeFileSync('/run/lab-mount/file', 'still usable')
    run('umount', '/run/lab-mount')
    await connector.disconnectVolume(volume, info)
  })

  it('by force of a device in use removes it and says so', async () => {
    const info = await connector.connectVolume(volume)
    const holder = openExclusively(info.path)
    await rejects('DEVICE_IN_USE', connector.disconnectVolume(volume, info))
    await rejects('DEVICE_IN_USE', connector.disconnectVolume(volume, info, { force: true }))
    closeSync(holder)
    assert.ok(!existsSync(info.path))
  })

  it('of a device that somebody else has removed succeeds', async () => {
    const info = await connector.connectVolume(volume)
    writeFileSync(`/sys/class/block/${nameOf(info)}/device/delete`, '1')
    await connector.disconnectVolume(volume, info)
  })

  it('of a volume that was logged out succeeds', async () => {
    const info = await connector.connectVolume(volume)
    run('iscsiadm', '--mode', 'node', '--targetname', IQN, '--portal', PORTAL, '--logout')
    await connector.disconnectVolume(volume, info)
  })

  it('of a volume that its backend has unmapped succeeds', async () => {
    const info = await connector.connectVolume(neighbour)
    const serial = target.serial(11)
    target.unmap(11)
    await connector.disconnectVolume(neighbour, info)
    target.map(11, { megabytes: 32, serial })
  })

  it('takes the disks in every session to the portal, and the sessions', async () => {
    const info = await connector.connectVolume(volume)
    const [session = ''] = sessions().split('\n')
    run('iscsiadm', '--mode', 'session', '--sid', session.replace('session', ''), '--op', 'new')
    for (const name of sessions().split('\n')) {
      const [, host = ''] = /\/host(\d+)\//.exec(realpathSync(`/sys/class/iscsi_session/${name}`)) ?? []
      writeFileSync(`/sys/class/scsi_host/host${host}/scan`, '0 0 0')
    }
    await settled()
    assert.equal((await connector.getVolumePaths(volume)).length, 2)
    await connector.disconnectVolume(volume, info)
    assert.equal(sessions(), '')
  })

  it('of another volume than the one that was attached is refused', async () => {
    const info = await connector.connectVolume(volume)
    const other = { ...info, identity: { ...info.identity, value: wwnOfSerial(randomUUID()) } }
    await rejects('IDENTITY_MISMATCH', connector.disconnectVolume(volume, other))
    assert.ok(existsSync(info.path))
    await connector.disconnectVolume(volume, info)
  })
})

describe('a leftover device at the LUN of a new volume', () => {
  it('is replaced by the new one', async () => {
    const old = await connector.connectVolume(neighbour)
    target.swap(11, { megabytes: 16 })
    const fresh = await connector.connectVolume(neighbour)
    assert.equal(fresh.identity.value, wwnOfSerial(target.serial(11)))
    assert.notEqual(fresh.identity.value, old.identity.value)
    assert.equal(fresh.size, 16 * MEBIBYTE)
    await connector.disconnectVolume(neighbour, fresh)
  })

  it('is not extended', async () => {
    const old = await connector.connectVolume(neighbour)
    target.swap(11, { megabytes: 32 })
    await rejects('IDENTITY_MISMATCH', connector.extendVolume(neighbour))
    await connector.disconnectVolume(neighbour, old)
  })

  it('is refused while somebody uses it', async () => {
    const old = await connector.connectVolume(neighbour)
    const holder = openExclusively(old.path)
    target.swap(11, { megabytes: 32 })
    await rejects('IDENTITY_MISMATCH', connector.connectVolume(neighbour))
    closeSync(holder)
    await connector.disconnectVolume(neighbour, old)
  })
})

async function rejects(code: ErrorCode, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof BrickError, String(error))
    assert.equal(error.code, code, error.message)
    return true
  })
}

/** A target that answers so many logins and then says nothing any more; `asked` is when it first keeps silent. */
async function listenSilently(answers: number): Promise<{ port: number; asked: Promise<void>; close: () => void }> {
  const sockets = new Set<Socket>()
  let keepSilent = (): void => undefined
  const asked = new Promise<void>((resolve) => {
    keepSilent = resolve
  })
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => {
      if (answers-- > 0) socket.write(acceptingLoginResponse())
      else keepSilent()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    asked,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** RFC 7143 11.13: opcode 23h, status 0. */
function acceptingLoginResponse(): Buffer {
  const header = Buffer.alloc(48)
  header[0] = 0x23
  return header
}

/** Where Linux keeps O_EXCL on a block device: it claims the device, as a mount does. */
function openExclusively(path: string): number {
  const exclusive = 0o200
  return openSync(path, exclusive)
}

function sizeOf(path: string): number {
  return Number(run('blockdev', '--getsize64', path))
}

function nameOf({ path }: DeviceInfo): string {
  return path.replace('/dev/', '')
}

/** The names of this host's iSCSI sessions. */
function sessions(): string {
  return run('ls', '/sys/class/iscsi_session').trim()
}

/** udev's name for the NAA designator that LIO makes of a serial number. */
function wwnOfSerial(serial: string): string {
  return `36001405${serial.replaceAll('-', '').slice(0, 25)}`
}
