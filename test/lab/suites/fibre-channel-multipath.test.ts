/** Fibre Channel over two paths, one in each of two fabrics, and multipathd. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import { FibreChannelConnector, watch } from 'hostbrick'
import type { DeviceInfo } from 'hostbrick'
import { run } from '../command.ts'
import { startMultipathd, type Daemon } from '../daemons.ts'
import { readDevice, writeDevice } from '../device.ts'
import { Fabric, keepLostPorts, type Port } from '../fc-fabric.ts'
import { OsBrick } from '../os-brick.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { until } from '../wait.ts'

const MEBIBYTE = 1024 * 1024
const connector = new FibreChannelConnector({ useMultipath: true, enforceMultipath: true })
const single = new FibreChannelConnector()

/** multipathd sets these times on the ports. By default disks behind a lost port stay for ten minutes, or for ever. */
const giveUpSoon = `
defaults {
  find_multipaths no
}
overrides {
  fast_io_fail_tmo 2
  dev_loss_tmo 5
  no_path_retry fail
}
`

let fabric: Fabric
let first: Port
let multipathd: Daemon
let clean: Snapshot
let volume: { target_wwn: string[]; target_lun: number }

before(async () => {
  multipathd = await startMultipathd()
  fabric = await Fabric.start()
  fabric.map(1, { megabytes: 64 })
  ;[first] = fabric.initiators as [Port]
  volume = { target_wwn: fabric.targets.map(({ portName }) => portName), target_lun: 1 }
  await connector.disconnectVolume(volume, await connector.connectVolume(volume))
  await settled()
  clean = snapshot()
})
after(async () => {
  fabric.remove()
  await multipathd.stop()
})
afterEach(async () => {
  await assertNothingLeft(clean)
  assert.deepEqual(knownToMultipathd(), [])
})

describe('an attach over two ports', () => {
  it('is a map of two paths, which is written, read, extended and detached', async () => {
    const info = await connectWhole()
    assert.match(info.path, /^\/dev\/dm-\d+$/)
    assert.equal(info.multipath_id, info.scsi_wwn)
    assert.deepEqual(
      info.paths.map(({ initiator }) => initiator).sort(),
      fabric.initiators.map(({ portName }) => portName),
    )
    const content = randomBytes(MEBIBYTE)
    writeDevice(info.path, content)
    fabric.grow(1, 96)
    assert.equal(await connector.extendVolume(volume, { expectedBytes: 96 * MEBIBYTE }), 96 * MEBIBYTE)
    assert.equal(Number(run('blockdev', '--getsize64', info.path)), 96 * MEBIBYTE)
    await connector.disconnectVolume(volume, info)
    assert.deepEqual(knownToMultipathd(), [])

    const again = await connector.connectVolume(volume)
    assert.equal(readDevice(again.path, content.length).equals(content), true)
    await connector.disconnectVolume(volume, again)
  })

  it('brings the path that is missing when one is there', async () => {
    const one = await single.connectVolume(volume)
    const info = await connectWhole()
    assert.equal(
      info.paths.some(({ path }) => path === one.path || one.path.includes('by-path')),
      true,
    )
    await single.disconnectVolume(volume, info)
  })

  it('uses only the ports that it may', async () => {
    const map = { initiator_target_map: { [first.portName]: [fabric.target.portName] } }
    const info = await connector.connectVolume({ ...volume, ...map }, { ready: 'all' })
    assert.deepEqual(
      info.paths.map(({ initiator }) => initiator),
      [first.portName],
    )
    assert.deepEqual([info.expected_paths, info.degraded], [1, false])
    await connector.disconnectVolume(volume, info)
  })
})

describe('a port', () => {
  it('may go away during use and come back', async () => {
    keepLostPorts(60)
    const info = await connectWhole()
    const writer = spawn('dd', ['if=/dev/zero', `of=${info.path}`, 'bs=64k', 'count=512', 'oflag=direct'], {
      stdio: 'ignore',
    })
    const written = once(writer, 'exit')
    first.disable()
    await until('it is out of sight', () => fabric.stateFrom(first) !== 'Online', 60_000)
    assert.deepEqual(await written, [0, null])
    first.enable()
    await fabric.up()
    await until('both paths work', () => activePaths(info) === 2, 60_000)
    const content = randomBytes(MEBIBYTE)
    writeDevice(info.path, content)
    assert.equal(readDevice(info.path, content.length).equals(content), true)
    await connector.disconnectVolume(volume, info)
  })

  it('that is away at the attach joins when it is back', async () => {
    first.disable()
    await until('it is out of sight', () => fabric.stateFrom(first) !== 'Online', 60_000)
    const info = await connector.connectVolume(volume, { ready: 'all' })
    assert.deepEqual([info.paths.length, info.expected_paths, info.degraded], [1, 2, true])
    const changes = watch({ signal: AbortSignal.timeout(60_000) })
    first.enable()
    for await (const change of changes) {
      if (change.kind === 'path' && change.change === 'added' && change.map.path === info.path) break
    }
    assert.equal(pathsInMap(info).length, 2)
    await connector.disconnectVolume(volume, info)
  })

  it('lost for good takes its paths along, and a map without any is detached', async (test) => {
    await restartMultipathd(giveUpSoon)
    const info = await connectWhole()
    await settled()
    keepLostPorts(5)
    for (const port of fabric.targets) port.disable()
    test.after(async () => {
      for (const port of fabric.targets) port.enable()
      await fabric.up()
      await restartMultipathd()
    })
    await until('the disks have gone', () => info.paths.every(({ path }) => !existsSync(path)), 90_000)
    await connector.disconnectVolume(volume, info, { force: true, ignoreErrors: true })
    await assertNothingLeft(clean)
  })
})

// Not the other way round: os-brick names the map by a link that `multipath -f` does not know, and cannot detach its own either.
it("os-brick's maps are detached by hostbrick", async () => {
  const osBrick = OsBrick.start()
  const properties = { target_wwn: volume.target_wwn.map((name) => name.replace('0x', '')), target_lun: 1 }
  const { info } = await osBrick.connect('FIBRE_CHANNEL', properties, { multipath: true })
  assert.match(String(info['path']), /dm-uuid-mpath/)
  await connector.disconnectVolume(properties, info)
  await osBrick.stop()
})

async function restartMultipathd(configuration?: string): Promise<void> {
  await multipathd.stop()
  multipathd = await startMultipathd(configuration)
}

/** The volume with both its paths. */
async function connectWhole(): Promise<DeviceInfo> {
  const info = await connector.connectVolume(volume, { ready: 'all' })
  assert.deepEqual(info.failures, [])
  assert.equal(pathsInMap(info).length, 2)
  return info
}

function pathsInMap({ path }: DeviceInfo): string[] {
  const folder = `/sys/class/block/${path.replace('/dev/', '')}/slaves`
  return existsSync(folder) ? readdirSync(folder).sort() : []
}

function activePaths({ multipath_id: wwid = '' }: DeviceInfo): number {
  return run('multipathd', 'show', 'paths', 'raw', 'format', '%w %t')
    .split('\n')
    .filter((line) => line === `${wwid} active`).length
}

/** The disks that multipathd has taken note of. */
function knownToMultipathd(): string[] {
  return run('multipathd', 'show', 'paths', 'raw', 'format', '%d')
    .split('\n')
    .filter((name) => name.startsWith('sd'))
}
