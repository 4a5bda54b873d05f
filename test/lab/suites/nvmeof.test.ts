/** NVMe over Fabrics through the public API, against the kernel's own target over TCP. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { closeSync, constants, existsSync, openSync, readdirSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import { BrickError, NVMeOFConnector } from 'hostbrick'
import type { ErrorCode } from 'hostbrick'
import { readDevice, writeDevice } from '../device.ts'
import { loadModules } from '../command.ts'
import { blackHole } from '../network.ts'
import { removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { until } from '../wait.ts'

const MEBIBYTE = 1024 * 1024
const NQN = 'nqn.2026-11.lab:nvmeof'
const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'] as const
const connector = new NVMeOFConnector()
const multipath = new NVMeOFConnector({ useMultipath: true })

let alone: NvmeSubsystem
let shared: NvmeSubsystem
let ports: NvmePort[]
let clean: Snapshot

before(async () => {
  writeNvmeHost()
  loadModules('nvme_fabrics', 'nvme_tcp')
  alone = new NvmeSubsystem({ nqn: NQN, namespaces: { 1: { megabytes: 64 } } })
  shared = new NvmeSubsystem({
    nqn: `${NQN}-shared`,
    namespaces: { 1: { megabytes: 16 }, 2: { megabytes: 32, blockSize: 4096 }, 7: { megabytes: 16 } },
  })
  ports = addresses.map((address, index) => new NvmePort({ number: index + 1, address, subsystems: [alone, shared] }))
  await settled()
  clean = snapshot()
})
after(() => {
  for (const port of ports) port.remove()
  alone.remove()
  shared.remove()
  removeNvmeHost()
})
afterEach(async () => {
  await assertNothingLeft(clean)
})

const portalsOf = (count: number): [string, number, string][] =>
  addresses.slice(0, count).map((address) => [address, 4420, 'tcp'])
const old = { nqn: NQN, target_portal: '127.0.0.1', target_port: '4420', transport_type: 'tcp', ns_id: 1 }
const over = (count: number): Record<string, unknown> => ({
  target_nqn: NQN,
  portals: portalsOf(count),
  vol_uuid: alone.namespace(1).uuid,
})
const part = (number: number): Record<string, unknown> => ({
  target_nqn: `${NQN}-shared`,
  portals: portalsOf(1),
  vol_uuid: shared.namespace(number).uuid,
})
const limit = { timeout: 90_000 }

describe('a namespace', limit, () => {
  it('is attached, written, read back, extended and detached', async () => {
    const content = randomBytes(MEBIBYTE)
    const first = await connector.connectVolume(old)
    assert.equal(first.size, 64 * MEBIBYTE)
    assert.equal(first.identity.value, `uuid.${alone.namespace(1).uuid}`)
    assert.deepEqual(
      first.paths.map(({ portal, ana_state }) => [portal, ana_state]),
      [['127.0.0.1:4420', 'optimized']],
    )
    assert.deepEqual([first.degraded, first.failures], [false, []])
    writeDevice(first.path, content)
    assert.deepEqual(await connector.getVolumePaths(old), [first.path])

    alone.namespace(1).grow(96)
    assert.equal(await connector.extendVolume(old, { expectedBytes: 96 * MEBIBYTE }), 96 * MEBIBYTE)
    assert.equal(await connector.extendVolume(old), 96 * MEBIBYTE)
    await rejects('NOT_EXTENDED', connector.extendVolume(old, { expectedBytes: 97 * MEBIBYTE }))
    await connector.disconnectVolume(old, first)
    await assertNothingLeft(clean)

    const second = await connector.connectVolume({ driver_volume_type: 'nvmeof', data: over(1) })
    assert.ok(readDevice(second.path, content.length).equals(content), 'what was written is there')
    await connector.disconnectVolume(over(1))
  })

  it('is attached and detached 10 times, and twice is once', async () => {
    for (let round = 0; round < 10; round++) {
      const [first, second] = await Promise.all([connector.connectVolume(old), connector.connectVolume(old)])
      assert.equal(first.path, second.path)
      await connector.disconnectVolume(old, first)
      assert.ok(!existsSync(first.path), `${first.path} is still there`)
      await connector.disconnectVolume(old, first)
    }
  })

  it('is known by its NGUID, by a UUID that is an NGUID, and by nothing when it is the only one', async () => {
    const { nguid } = alone.namespace(1)
    const unnamed = { target_nqn: NQN, portals: portalsOf(1) }
    for (const volume of [
      { ...unnamed, volume_nguid: nguid },
      { ...unnamed, vol_uuid: nguid },
      { ...unnamed, ns_id: '1' },
      unnamed,
    ]) {
      await connector.disconnectVolume(volume, await connector.connectVolume(volume))
    }
  })

  it('of 4 KiB blocks is extended when nobody tells the host', async () => {
    const info = await connector.connectVolume(part(2))
    shared.namespace(2).growSilently(48)
    assert.equal(await connector.extendVolume(part(2)), 48 * MEBIBYTE)
    await rejects('NOT_EXTENDED', connector.extendVolume(part(2), { expectedBytes: 49 * MEBIBYTE }))
    shared.unmap(1)
    shared.unmap(7)
    await connector.disconnectVolume(part(2), info)
    shared.map(1, { megabytes: 16 })
    shared.map(7, { megabytes: 16 })
  })

  it('in use is not detached, and stays usable', async () => {
    const info = await connector.connectVolume(old)
    const holder = openSync(info.path, constants.O_RDWR | constants.O_EXCL)
    await rejects('DEVICE_IN_USE', connector.disconnectVolume(old, info))
    writeDevice(info.path, randomBytes(4096))
    await rejects('DEVICE_IN_USE', connector.disconnectVolume(old, info, { force: true }))
    closeSync(holder)
  })
})

describe('a subsystem of several namespaces', limit, () => {
  it('stays connected until the last of them is detached', async () => {
    const infos = await Promise.all([1, 2, 7].map((number) => connector.connectVolume(part(number))))
    assert.equal(new Set(infos.map(({ path }) => path)).size, 3)
    for (const [index, number] of [1, 2, 7].entries()) {
      const others = infos.slice(index + 1)
      await connector.disconnectVolume(part(number), infos[index])
      for (const { path } of others) writeDevice(path, randomBytes(4096))
      // The backend unmaps after the detach; only then the host has one less.
      if (others.length > 0) shared.unmap(number)
    }
    await assertNothingLeft(clean)
    shared.map(1, { megabytes: 16 })
    shared.map(2, { megabytes: 32, blockSize: 4096 })
  })

  it('is refused when nothing says which it is', async () => {
    await rejects('IDENTITY_MISMATCH', connector.connectVolume({ target_nqn: `${NQN}-shared`, portals: portalsOf(1) }))
  })

  it('does not hide that one of them is not there', async () => {
    const volume = { ...part(1), vol_uuid: '11111111-2222-4333-8444-555555555555' }
    await rejects('LUN_NOT_MAPPED', connector.connectVolume(volume))
  })
})

describe('several portals', limit, () => {
  it('are connected at once, and make one device', async () => {
    const info = await multipath.connectVolume(over(4), { ready: 'all' })
    assert.deepEqual(
      info.paths.map(({ portal }) => portal).sort(),
      addresses.map((address) => `${address}:4420`),
    )
    assert.deepEqual([info.expected_paths, info.degraded], [4, false])
    writeDevice(info.path, randomBytes(MEBIBYTE))
    await multipath.disconnectVolume(over(4), info)
  })

  it('are left all, also by who knows only one of them', async () => {
    await multipath.connectVolume(over(2), { ready: 'all' })
    await connector.disconnectVolume(old)
  })

  it('may be dead, but one', async () => {
    const hole = blackHole('127.0.0.1', 4420)
    const refusing = { ...over(3), portals: [...portalsOf(3), ['127.0.0.1', 4999, 'tcp']] }
    try {
      const info = await multipath.connectVolume(refusing)
      assert.equal(info.degraded, true)
      const whole = await multipath.connectVolume(refusing, { ready: 'all', timeout: 8000 })
      assert.equal(whole.path, info.path)
      assert.deepEqual(
        [whole.paths.length, whole.failures.map(({ portal }) => portal).sort()],
        [2, ['127.0.0.1:4420', '127.0.0.1:4999']],
      )
      await multipath.disconnectVolume(refusing, info)
    } finally {
      hole.lift()
    }
  })

  it('that were dead join when they are back', async () => {
    const hole = blackHole('127.0.0.2', 4420)
    const info = await multipath.connectVolume(over(2), { ready: 'all', timeout: 8000 }).finally(() => {
      hole.lift()
    })
    assert.deepEqual([info.degraded, info.paths.length], [true, 1])
    await until('the other portal has joined', () => entriesOf(info.path) === 2)
    await multipath.disconnectVolume(over(2), info)
  })

  it('may not all be dead', async () => {
    const volume = { ...over(1), portals: [['127.0.0.1', 4999, 'tcp']] }
    await rejects('PORTAL_UNREACHABLE', multipath.connectVolume(volume))
    await rejects('PORTAL_UNREACHABLE', connector.connectVolume(volume))
  })

  it('leave nothing of an attach that is aborted, at any moment', async () => {
    for (const moment of [0, 20, 40, 60, 80, 100, 130, 160, 200, 250, 300]) {
      const info = await multipath
        .connectVolume(over(2), { ready: 'all', signal: AbortSignal.timeout(moment) })
        .catch((error: unknown) => {
          assert.ok(error instanceof BrickError && error.code === 'ABORTED', String(error))
          assert.equal(error.details['undone'], undefined)
        })
      if (info) await multipath.disconnectVolume(over(2), info)
      await assertNothingLeft(clean)
    }
  })
})

describe('a target', limit, () => {
  it('that does not know the subsystem says so', async () => {
    await rejects('TARGET_NOT_FOUND', connector.connectVolume({ ...old, nqn: `${NQN}-absent` }))
  })

  it('that unmaps a volume before its detach leaves no controller behind', async () => {
    const info = await connector.connectVolume(old)
    const { uuid, nguid } = alone.namespace(1)
    alone.unmap(1)
    await connector.disconnectVolume(old, info)
    alone.map(1, { megabytes: 64, uuid, nguid })
  })

  it('that has gone is left by force', async () => {
    const info = await connector.connectVolume(old)
    for (const port of ports) port.withdraw(alone)
    await connector.disconnectVolume(old, info, { force: true, ignoreErrors: true, timeout: 20_000 })
    for (const port of ports) port.serve(alone)
  })
})

/** How many paths the kernel has to the disk. */
function entriesOf(path: string): number {
  const subsystem = path.replace('/dev/', '').replace(/n\d+$/, '')
  return readdirSync('/sys/class/block').filter((name) => name.startsWith(`${subsystem}c`)).length
}

async function rejects(code: ErrorCode, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof BrickError, String(error))
    assert.equal(error.code, code, error.message)
    return true
  })
}
