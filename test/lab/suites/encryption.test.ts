/** Encrypted volumes: the link by which they are handed out, and LUKS. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readlinkSync, realpathSync, rmSync, rmdirSync, writeFileSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  audit,
  BrickError,
  closeLuks,
  deviceContent,
  formatLuks,
  ISCSIConnector,
  NVMeOFConnector,
  openLuks,
  resizeLuks,
} from 'hostbrick'
import type { ErrorCode } from 'hostbrick'
import { loadModules, run } from '../command.ts'
import { startIscsid, type Daemon } from '../daemons.ts'
import { readDevice, writeDevice } from '../device.ts'
import { removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'

const MEBIBYTE = 1024 * 1024
const IQN = 'iqn.2026-11.lab:encryption'
const NQN = 'nqn.2026-11.lab:encryption'
const limit = { timeout: 240_000 }
const key = 'correct horse battery staple'
const keyFile = '/tmp/lab-luks-key'
const scsi = { target_portal: '127.0.0.1:3260', target_iqn: IQN, target_lun: 0, encrypted: true }
const nvme = { target_nqn: NQN, portals: [['127.0.0.1', 4420, 'tcp']], ns_id: 1, encrypted: true }
const iscsi = new ISCSIConnector()
const nvmeof = new NVMeOFConnector()

let iscsid: Daemon
let target: IscsiTarget
let subsystem: NvmeSubsystem
let port: NvmePort
let clean: Snapshot

before(async () => {
  writeFileSync(keyFile, key)
  iscsid = await startIscsid()
  target = iscsiTarget({ iqn: IQN, portals: ['127.0.0.1:3260'], luns: { 0: { megabytes: 32 } } })
  writeNvmeHost()
  loadModules('nvme_fabrics', 'nvme_tcp')
  subsystem = new NvmeSubsystem({ nqn: NQN, namespaces: { 1: { megabytes: 32 } } })
  port = new NvmePort({ number: 1, address: '127.0.0.1', subsystems: [subsystem] })
  // What the initiator's own tools make once and keep is no residue of an attach.
  await iscsi.disconnectVolume(scsi, await iscsi.connectVolume(scsi))
  await settled()
  clean = snapshot()
})
after(async () => {
  port.remove()
  subsystem.remove()
  removeNvmeHost()
  target.remove()
  await iscsid.stop()
  rmSync(keyFile)
})
afterEach(async () => {
  await assertNothingLeft(clean)
})

const transports = {
  iSCSI: {
    connector: iscsi,
    volume: scsi,
    type: 'luks2',
    names: ['sda', 'sdb', 'sdc', 'sdd'],
    grow: () => {
      target.grow(0, 48)
    },
  },
  NVMe: {
    connector: nvmeof,
    volume: nvme,
    type: 'luks1',
    names: ['nvme0n1', 'nvme1n1'],
    grow: () => {
      subsystem.namespace(1).growSilently(48)
    },
  },
} as const

for (const [transport, { connector, volume, type, names, grow }] of Object.entries(transports)) {
  describe(`an encrypted volume over ${transport}`, limit, () => {
    it('is formatted, opened, used, extended, closed, and opened again', async () => {
      const content = randomBytes(MEBIBYTE)
      const { path } = await connector.connectVolume(volume)
      const device = realpathSync(path)
      assert.equal(path, `/dev/disk/by-id/os-brick${device.replaceAll('/', '+')}`)
      assert.equal(readlinkSync(path), device)
      assert.deepEqual(await deviceContent(path), { kind: 'blank' })
      await rejects('IDENTITY_MISMATCH', openLuks(path, { key }))

      await formatLuks(path, { key, type })
      assert.deepEqual(await deviceContent(path), { kind: 'formatted', format: 'crypto_LUKS' })
      await rejects('IDENTITY_MISMATCH', formatLuks(path, { key }))
      weaken(device)
      await rejects('AUTH_FAILED', openLuks(path, { key: 'wrong' }))
      const mapped = await openLuks(path, { key })
      assert.equal(mapped, `/dev/mapper/crypt-os-brick${device.replaceAll('/', '+')}`)
      assert.equal(realpathSync(path), realpathSync(mapped))
      assert.equal(await openLuks(path, { key }), mapped)
      // Its link leads to the mapping by another one.
      assert.deepEqual(await audit(), [])
      assert.equal((await connector.connectVolume(volume)).path, path)
      assert.equal(realpathSync(path), realpathSync(mapped), 'a second attach leaves the link alone')
      writeDevice(path, content)
      assert.ok(!readDevice(device, 24 * MEBIBYTE).includes(content.subarray(0, 512)), 'it is encrypted')

      grow()
      const size = await connector.extendVolume(volume, { expectedBytes: 48 * MEBIBYTE })
      const inside = await resizeLuks(path, { key })
      assert.ok(inside > 30 * MEBIBYTE && inside < size, `${inside} of ${size} bytes`)
      await rejects('DEVICE_IN_USE', connector.disconnectVolume(volume, { type: 'block', path }))
      await closeLuks(path)
      await closeLuks(path)
      assert.equal(readlinkSync(path), device)
      await connector.disconnectVolume(volume, { type: 'block', path })
      await assertNothingLeft(clean)

      const again = await connector.connectVolume(volume)
      await openLuks(again.path, { key })
      assert.ok(readDevice(again.path, content.length).equals(content), 'what was written is there')
      await closeLuks(again.path)
      await connector.disconnectVolume(volume)
    })

    it('is not attached when it cannot be handed out', async () => {
      const links = names.map((name) => `/dev/disk/by-id/os-brick+dev+${name}`)
      for (const link of links) mkdirSync(link)
      try {
        await rejects('SYSTEM', connector.connectVolume(volume))
      } finally {
        for (const link of links) rmdirSync(link)
      }
    })
  })
}

describe('a device', limit, () => {
  const plain = { ...nvme, encrypted: false }

  it('with something on it, or that cannot be read, is never formatted', async () => {
    const { path } = await nvmeof.connectVolume(plain)
    const refused = async (device: string): Promise<void> => {
      const before = readDevice(path, 32 * MEBIBYTE)
      await rejects('IDENTITY_MISMATCH', formatLuks(device, { key }))
      assert.ok(readDevice(path, 32 * MEBIBYTE).equals(before), 'nothing was written')
    }
    writeDevice(path, Buffer.alloc(32 * MEBIBYTE))
    assert.deepEqual(await deviceContent(path), { kind: 'blank' })

    // A good device but for its first sector.
    const sectors = (32 * MEBIBYTE) / 512
    run('dmsetup', 'create', 'lab-unreadable', '--table', `0 8 error\n8 ${sectors - 8} linear ${path} 8`)
    assert.deepEqual(await deviceContent('/dev/mapper/lab-unreadable'), { kind: 'unreadable', reason: 'EIO' })
    await refused('/dev/mapper/lab-unreadable')
    run('dmsetup', 'remove', '--retry', 'lab-unreadable')

    run('mkfs.ext4', '-q', path)
    assert.deepEqual(await deviceContent(path), { kind: 'formatted', format: 'ext' })
    await refused(path)

    writeDevice(path, randomBytes(4096))
    assert.deepEqual(await deviceContent(path), { kind: 'unknown' })
    await refused(path)
    await nvmeof.disconnectVolume(plain)
  })
})

/** cryptsetup makes a key take 2 s to try on hardware, and many times that under emulation. */
function weaken(device: string): void {
  const cheap = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000']
  execFileSync('cryptsetup', ['luksChangeKey', '--batch-mode', '--key-file', '-', ...cheap, device, keyFile], {
    input: key,
  })
}

async function rejects(code: ErrorCode, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof BrickError, String(error))
    assert.equal(error.code, code, error.message)
    assert.ok(!`${error.message}${JSON.stringify(error)}`.includes(key), 'the key is shown')
    return true
  })
}
