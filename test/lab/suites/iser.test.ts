/** iSCSI over RDMA, and over interfaces that have a record: what carries a session, and what is no way to it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import { BrickError, ISCSIConnector } from 'hostbrick'
import type { ErrorCode } from 'hostbrick'
import { run } from '../command.ts'
import { startIscsid, type Daemon } from '../daemons.ts'
import { readDevice, writeDevice } from '../device.ts'
import { rdmaDevice, type RdmaDevice } from '../rdma.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'

const IQN = 'iqn.2026-11.lab:iser'
const CHAP_IQN = 'iqn.2026-11.lab:iser-chap'
const MEBIBYTE = 1024 * 1024
const SECRET = 'what-the-host-says'
/** A record that says no more than 'tcp', as one of an adapter says 'cxgb4i'. */
const RECORD = 'lab-interface'

const iser = new ISCSIConnector({ transport: 'iser' })
const tcp = new ISCSIConnector()
const recorded = new ISCSIConnector({ transport: RECORD })

let iscsid: Daemon
let rdma: RdmaDevice
let target: IscsiTarget
let chapTarget: IscsiTarget
let clean: Snapshot
let portal: string
let volume: { target_portal: string; target_iqn: string; target_lun: number }
let neighbour: typeof volume

before(async () => {
  iscsid = await startIscsid()
  rdma = rdmaDevice()
  portal = `${rdma.address}:3260`
  volume = { target_portal: portal, target_iqn: IQN, target_lun: 0 }
  neighbour = { ...volume, target_lun: 7 }
  target = iscsiTarget({
    iqn: IQN,
    portals: [portal],
    luns: { 0: { megabytes: 64 }, 7: { megabytes: 32 } },
    iser: true,
  })
  const chap = { username: 'host', password: SECRET }
  chapTarget = iscsiTarget({
    iqn: CHAP_IQN,
    portals: [`${rdma.address}:3261`],
    luns: { 0: { megabytes: 16 } },
    iser: true,
    chap,
  })
  run('iscsiadm', '--mode', 'iface', '--interface', RECORD, '--op', 'new')
  await tcp.disconnectVolume(volume, await tcp.connectVolume(volume))
  await settled()
  clean = snapshot()
})
after(async () => {
  run('iscsiadm', '--mode', 'iface', '--interface', RECORD, '--op', 'delete')
  target.remove()
  chapTarget.remove()
  await iscsid.stop()
  rdma.remove()
})
afterEach(async () => {
  await assertNothingLeft(clean)
})

describe('a volume over RDMA', () => {
  it('is attached, written, extended, detached, and read back over TCP', async () => {
    const content = randomBytes(MEBIBYTE)
    const info = await iser.connectVolume(volume)
    assert.deepEqual(transports(), ['iscsi_iser'])
    assert.equal(info.size, 64 * MEBIBYTE)
    assert.deepEqual(await iser.getVolumePaths(volume), [info.path])
    writeDevice(info.path, content)
    assert.ok(readDevice(info.path, content.length).equals(content), 'what was written is not what is read')

    target.grow(0, 96)
    assert.equal(await iser.extendVolume(volume, { expectedBytes: 96 * MEBIBYTE }), 96 * MEBIBYTE)
    await iser.disconnectVolume(volume, info)
    assert.deepEqual(transports(), [])

    const again = await tcp.connectVolume(volume)
    assert.equal(again.identity.value, info.identity.value)
    assert.ok(readDevice(again.path, content.length).equals(content), 'what was written is not what is read')
    await tcp.disconnectVolume(volume, again)
  })

  it('is named by udev as over TCP', async () => {
    const info = await iser.connectVolume(volume)
    await settled()
    const link = `/dev/disk/by-path/ip-${portal}-iscsi-${IQN}-lun-0`
    assert.equal(run('readlink', '--canonicalize', link).trim(), info.path)
    await iser.disconnectVolume(volume, info)
  })

  it('is attached and detached 10 times in one process', async () => {
    for (let round = 0; round < 10; round++) await iser.disconnectVolume(volume, await iser.connectVolume(volume))
  })

  it('needs no iscsiadm', async () => {
    run('mv', '/usr/sbin/iscsiadm', '/usr/sbin/iscsiadm.away')
    try {
      await iser.disconnectVolume(volume, await iser.connectVolume(volume))
    } finally {
      run('mv', '/usr/sbin/iscsiadm.away', '/usr/sbin/iscsiadm')
    }
  })

  it('with CHAP is for who knows the secret', async () => {
    const open = { target_portal: `${rdma.address}:3261`, target_iqn: CHAP_IQN, target_lun: 0 }
    const known = { ...open, auth_method: 'CHAP', auth_username: 'host', auth_password: SECRET }
    await iser.disconnectVolume(known, await iser.connectVolume(known))
    await assert.rejects(iser.connectVolume({ ...known, auth_password: 'not-what-the-host-says' }), refused)
  })

  it('that is not there is an error, in time', async () => {
    await rejects('LUN_NOT_MAPPED', iser.connectVolume({ ...volume, target_lun: 1 }))
    await rejects('PORTAL_UNREACHABLE', iser.connectVolume({ ...volume, target_portal: `${rdma.address}:3999` }))
    await assert.rejects(iser.connectVolume({ ...volume, target_iqn: `${IQN}0` }), refused)
  })
})

describe('a session over TCP', () => {
  it('is not one over RDMA, and keeps its volume and its record', async () => {
    const other = await tcp.connectVolume(neighbour)
    const record = readRecord()
    const info = await iser.connectVolume(volume)
    assert.deepEqual(transports(), ['iscsi_iser', 'iscsi_tcp'])
    assert.equal(readRecord(), record)
    await iser.disconnectVolume(volume, info)
    assert.deepEqual(transports(), ['iscsi_tcp'])
    assert.equal(readRecord(), record)
    assert.equal(readDevice(other.path, 512).length, 512)
    await tcp.disconnectVolume(neighbour, other)
  })

  it('goes with one over RDMA when both have the volume', async () => {
    const other = await tcp.connectVolume(volume)
    const info = await iser.connectVolume(volume)
    assert.deepEqual(transports(), ['iscsi_iser', 'iscsi_tcp'])
    assert.notEqual(info.path, other.path)
    assert.equal(info.identity.value, other.identity.value)
    await iser.disconnectVolume(volume, info)
    assert.deepEqual(transports(), [])
  })

  it('leaves one over RDMA alone, too', async () => {
    const info = await iser.connectVolume(volume)
    const other = await tcp.connectVolume(neighbour)
    await tcp.disconnectVolume(neighbour, other)
    assert.deepEqual(transports(), ['iscsi_iser'])
    assert.equal(readDevice(info.path, 512).length, 512)
    await iser.disconnectVolume(volume, info)
  })
})

describe('an interface with a record', () => {
  it('carries sessions of its own', async () => {
    const other = await tcp.connectVolume(neighbour)
    const record = readRecord()
    const info = await recorded.connectVolume(volume)
    assert.deepEqual(interfaces(), ['default', RECORD])
    assert.equal(readRecord(), record)
    assert.deepEqual(await recorded.getVolumePaths(volume), [info.path])
    assert.deepEqual(await recorded.getVolumePaths(neighbour), [])
    await recorded.disconnectVolume(volume, info)
    assert.deepEqual(interfaces(), ['default'])
    await tcp.disconnectVolume(neighbour, other)
  })

  it('takes no secrets', async () => {
    const properties = { ...volume, auth_method: 'CHAP', auth_username: 'host', auth_password: SECRET }
    await rejects('NOT_SUPPORTED', recorded.connectVolume(properties))
  })

  it('has to be there', async () => {
    const nowhere = new ISCSIConnector({ transport: 'cxgb4i.00:07:43:06:02:68' })
    await rejects('NOT_SUPPORTED', nowhere.connectVolume(volume), /cxgb4i\.00:07:43:06:02:68/)
    await rejects('NOT_SUPPORTED', nowhere.disconnectVolume(volume))
  })
})

async function rejects(code: ErrorCode, call: Promise<unknown>, message = /./): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof BrickError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  })
}

/**
 * LIO breaks the connection before its refusal is through. Whether iscsid then says that the portal or that the login
 * took too long is a matter of luck.
 */
function refused(error: unknown): boolean {
  assert.ok(error instanceof BrickError, String(error))
  assert.ok(
    ['LOGIN_FAILED', 'PORTAL_UNREACHABLE', 'AUTH_FAILED'].includes(error.code),
    `${error.code}: ${error.message}`,
  )
  assert.equal(error.step, 'login')
  return true
}

/** The drivers of this host's iSCSI sessions. */
function transports(): string[] {
  return names('/sys/class/iscsi_host')
    .map((host) => readFileSync(`/sys/class/scsi_host/${host}/proc_name`, 'utf8').trim())
    .sort()
}

/** The interfaces of this host's iSCSI sessions. */
function interfaces(): string[] {
  return names('/sys/class/iscsi_session')
    .map((session) => readFileSync(`/sys/class/iscsi_session/${session}/ifacename`, 'utf8').trim())
    .sort()
}

function names(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

function readRecord(): string {
  return readFileSync(`/var/lib/iscsi/nodes/${IQN}/${portal.replace(':', ',')}`, 'utf8')
}
