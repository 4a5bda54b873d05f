/** Fibre Channel over one path, through the public API: FCoE between the guest's cards, and the kernel's own target. */
import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { closeSync, existsSync, mkdirSync, openSync, realpathSync, writeFileSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import { BrickError, FibreChannelConnector, inventory } from 'hostbrick'
import type { DeviceInfo, ErrorCode, StepMessage } from 'hostbrick'
import { run } from '../command.ts'
import { readDevice, writeDevice } from '../device.ts'
import { Fabric, keepLostPorts, type Port } from '../fc-fabric.ts'
import { OsBrick } from '../os-brick.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { until } from '../wait.ts'

const MEBIBYTE = 1024 * 1024
const connector = new FibreChannelConnector()

let fabric: Fabric
let own: Port
let clean: Snapshot
let volume: { target_wwn: string; target_lun: number }

before(async () => {
  fabric = await Fabric.start()
  ;[own] = fabric.initiators as [Port]
  for (const lun of [0, 1, 11, 255, 256, 300, 16684]) fabric.map(lun, { megabytes: 16 })
  volume = { target_wwn: fabric.target.portName, target_lun: 1 }
  await settled()
  clean = snapshot()
})
after(() => {
  fabric.remove()
})
afterEach(async () => {
  await assertNothingLeft(clean)
})

describe('a volume', () => {
  it('is attached, written, read back, extended and detached', async () => {
    const content = randomBytes(MEBIBYTE)
    const first = await connector.connectVolume(volume)
    assert.equal(first.size, 16 * MEBIBYTE)
    assert.equal(first.scsi_wwn, wwnOfSerial(fabric.serial(1)))
    assert.deepEqual(
      first.paths.map(({ portal, initiator }) => [portal, initiator]),
      [[fabric.target.portName, own.portName]],
    )
    writeDevice(first.path, content)
    fabric.grow(1, 32)
    assert.equal(await connector.extendVolume(volume, { expectedBytes: 32 * MEBIBYTE }), 32 * MEBIBYTE)
    await rejects('NOT_EXTENDED', connector.extendVolume(volume, { expectedBytes: 33 * MEBIBYTE }))
    await connector.disconnectVolume(volume, first)
    await assertNothingLeft(clean)
    await rejects('DEVICE_NOT_FOUND', connector.extendVolume(volume))

    const second = await connector.connectVolume(volume)
    assert.equal(second.identity.value, first.identity.value)
    assert.notEqual(second.identity.diskseq, first.identity.diskseq)
    assert.equal(readDevice(second.path, content.length).equals(content), true)
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

  it('is called by its place once udev has named it', async () => {
    const first = await connector.connectVolume(volume)
    await settled()
    const second = await connector.connectVolume(volume)
    assert.match(second.path, new RegExp(`^/dev/disk/by-path/pci-.*-fc-${fabric.target.portName}-lun-1$`))
    assert.equal(realpathSync(second.path), first.path)
    assert.deepEqual(second.identity, first.identity)
    assert.equal((await connector.getAllAvailableVolumes()).includes(second.path), true)
    assert.equal((await inventory()).byName.get(first.path.replace('/dev/', ''))?.transport, 'fc')
    await connector.disconnectVolume(volume, second)
  })

  it('is told apart from those under other LUNs, near, far and flat', async () => {
    const { target_wwn } = volume
    const places = [0, 1, 11, 255, 256, 300].map((lun) => ({ properties: { target_wwn, target_lun: lun }, lun }))
    const flat = { properties: { target_wwn, target_lun: 300, addressing_mode: 'SAM2' }, lun: 16684 }
    const attached = await Promise.all(
      [...places, flat].map(async ({ properties, lun }) => {
        const info = await connector.connectVolume(properties)
        assert.equal(info.scsi_wwn, wwnOfSerial(fabric.serial(lun)), `LUN ${lun}`)
        assert.match(info.paths[0]?.hctl ?? '', new RegExp(`:${lun}$`))
        return { properties, info }
      }),
    )
    assert.equal(new Set(attached.map(({ info }) => info.path)).size, 7)
    const [first, ...others] = attached
    assert.ok(first, 'one at least')
    await connector.disconnectVolume(first.properties, first.info)
    for (const { info } of others) assert.equal(readDevice(info.path, 512).length, 512)
    await Promise.all(others.map(({ properties, info }) => connector.disconnectVolume(properties, info)))
  })

  it('is found in whatever form its properties come', async () => {
    const name = fabric.target.portName
    const forms: unknown[] = [
      { driver_volume_type: 'fibre_channel', data: volume },
      { target_wwn: [fabric.target.configName.toUpperCase()], target_lun: '1' },
      { target_wwns: [name.replace('0x', ''), name.replace('0x2', '0x3')], target_luns: [1, 2] },
      { ...volume, initiator_target_map: { [own.configName]: [name] } },
      { ...volume, wwn: wwnOfSerial(fabric.serial(1)), initiator_target_map: null },
    ]
    for (const form of forms) {
      const info = await connector.connectVolume(form)
      assert.equal(info.scsi_wwn, wwnOfSerial(fabric.serial(1)), JSON.stringify(form))
      assert.deepEqual(await connector.getVolumePaths(form), [info.path])
      assert.equal(await connector.checkValidDevice(info.path), true)
      await connector.disconnectVolume(form, info)
    }
  })

  it('is the same device when it is attached twice, and gone when it is detached once', async () => {
    const [first, second] = await Promise.all([connector.connectVolume(volume), connector.connectVolume(volume)])
    assert.deepEqual(second.identity, first.identity)
    await connector.disconnectVolume(volume, first)
    await connector.disconnectVolume(volume, second)
  })

  it('is detached by its properties alone, and by them as its device info, as Nova does', async () => {
    await connector.connectVolume(volume)
    await connector.disconnectVolume(volume)
    const { path } = await connector.connectVolume(volume)
    await connector.disconnectVolume(volume, { ...volume, device_path: path })
  })

  it('of which every port that this host has could be used is attached by one', async () => {
    const info = await connector.connectVolume(volume)
    assert.deepEqual(await connector.getVolumePaths(volume), [info.path])
    await connector.disconnectVolume(volume, info)
  })

  it('that is read-only at first is handed out when it is writable', async () => {
    for (const port of fabric.initiators) fabric.protect(1, port, true)
    const readOnly = await connector.connectVolume({ ...volume, access_mode: 'ro' })
    assert.equal(isReadOnly(readOnly), true)
    assert.equal('writable' in readOnly.timings, false)
    await connector.disconnectVolume(volume, readOnly)
    const attached = connector.connectVolume(volume)
    const told = onStep('scan', () => {
      fabric.protect(1, own, false)
    })
    const info = await attached
    told.stop()
    assert.equal(isReadOnly(info), false)
    assert.equal(info.degraded, false)
    assert.equal('writable' in info.timings, true)
    for (const port of fabric.initiators) fabric.protect(1, port, false)
    await connector.disconnectVolume(volume, info)
  })
})

describe('what cannot be attached', () => {
  it('is a LUN that is not mapped', async () => {
    await rejects('LUN_NOT_MAPPED', connector.connectVolume({ ...volume, target_lun: 2 }))
  })

  it('is a volume behind a port that nobody sees, with all that is known of the ports', async () => {
    const nowhere = { ...volume, target_wwn: fabric.target.portName.replace('0x2', '0x3') }
    const error = await rejects('PORTAL_UNREACHABLE', connector.connectVolume(nowhere, { timeout: 3000 }))
    assert.equal((error.details['own'] as unknown[]).length, 4)
  })

  it('is a volume that is not the one expected', async () => {
    await rejects('IDENTITY_MISMATCH', connector.connectVolume({ ...volume, wwn: wwnOfSerial(randomUUID()) }))
  })

  it('leaves nothing when it is aborted, at any moment', async () => {
    for (let delay = 0; delay <= 200; delay += 20) {
      try {
        const info = await connector.connectVolume(volume, { signal: AbortSignal.timeout(delay) })
        await connector.disconnectVolume(volume, info)
      } catch (error) {
        assert.equal(error instanceof BrickError && error.code, 'ABORTED', `after ${delay} ms: ${String(error)}`)
        assert.deepEqual((error as BrickError).details['undone'] ?? [], [], `after ${delay} ms`)
      }
      assert.deepEqual(await connector.getVolumePaths(volume), [], `after ${delay} ms`)
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
    const exclusively = 0o200
    const holder = openSync(info.path, exclusively)
    await rejects('DEVICE_IN_USE', connector.disconnectVolume(volume, info, { force: true }))
    closeSync(holder)
    assert.equal(existsSync(info.path), false)
  })

  it('of a device that somebody else has removed, or whose volume is unmapped, succeeds', async () => {
    const info = await connector.connectVolume(volume)
    writeFileSync(`/sys/class/block/${info.path.replace('/dev/', '')}/device/delete`, '1')
    await connector.disconnectVolume(volume, info)

    const place = { ...volume, target_lun: 11 }
    const other = await connector.connectVolume(place)
    const serial = fabric.serial(11)
    fabric.unmap(11)
    await connector.disconnectVolume(place, other)
    fabric.map(11, { megabytes: 16, serial })
  })

  it('of another volume than the one that was attached is refused', async () => {
    const info = await connector.connectVolume(volume)
    const other = { ...info, identity: { ...info.identity, value: wwnOfSerial(randomUUID()) } }
    await rejects('IDENTITY_MISMATCH', connector.disconnectVolume(volume, other))
    await connector.disconnectVolume(volume, info)
  })

  it('takes every disk of the volume, also behind ports that the properties do not name', async () => {
    const info = await connector.connectVolume(volume)
    const [, second] = fabric.initiators
    writeFileSync(`/sys/class/scsi_host/host${second?.host ?? ''}/scan`, '0 0 1')
    await until('both disks are there', () => disksOf(info).length === 2)
    await connector.disconnectVolume({ ...volume, target_wwn: volume.target_wwn.replace('0x2', '0x3') }, info)
  })
})

it('a leftover device at the LUN of a new volume is replaced by the new one', async () => {
  const place = { ...volume, target_lun: 11 }
  const old = await connector.connectVolume(place)
  fabric.swap(11, { megabytes: 24 })
  const fresh = await connector.connectVolume(place)
  assert.equal(fresh.identity.value, wwnOfSerial(fabric.serial(11)))
  assert.notEqual(fresh.identity.value, old.identity.value)
  assert.equal(fresh.size, 24 * MEBIBYTE)
  await connector.disconnectVolume(place, fresh)
})

it("os-brick's volumes are detached by hostbrick, and the other way round", async () => {
  const osBrick = OsBrick.start()
  const properties = { target_wwn: [volume.target_wwn.replace('0x', '')], target_lun: 1 }
  const { info } = await osBrick.connect('FIBRE_CHANNEL', properties)
  await connector.disconnectVolume(properties, info)
  await assertNothingLeft(clean)

  const ours = await connector.connectVolume(properties)
  await settled() // os-brick goes by udev's links
  await osBrick.disconnect('FIBRE_CHANNEL', properties, { ...ours })
  await osBrick.stop()
})

describe('when the target has gone', () => {
  it('a unit that comes up after its attach has failed goes again', async () => {
    fabric.target.disable()
    // Nobody has noticed yet: the scan waits for an answer.
    const error = await connector.connectVolume(volume, { timeout: 3000 }).catch((reason: unknown) => reason)
    assert.equal(error instanceof BrickError && error.code, 'TIMEOUT', String(error))
    assert.equal(((error as BrickError).details['undone'] as unknown[]).length, 1)
    fabric.target.enable()
    await fabric.up()
    const info = await connector.connectVolume(volume, { timeout: 100_000 })
    await connector.disconnectVolume(volume, info)
  })

  it('a detach is refused for what may be unwritten, done by force at once, and without once the disks have gone', async () => {
    keepLostPorts(30)
    const info = await connector.connectVolume(volume)
    fabric.target.disable()
    await fabric.down(own)
    await rejects('FLUSH_FAILED', connector.disconnectVolume(volume, info))
    await rejects('FLUSH_FAILED', connector.disconnectVolume(volume, info, { force: true, timeout: 8000 }))
    assert.deepEqual(disksOf(info), [])
    await connector.disconnectVolume(volume, info)
    fabric.target.enable()
    await fabric.up()
  })
})

async function rejects(code: ErrorCode, call: Promise<unknown>): Promise<BrickError> {
  const error: unknown = await call.then(
    (value) => assert.fail(`it succeeded: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  assert.equal(error instanceof BrickError && error.code, code, String(error))
  return error as BrickError
}

/** Acts after a step of this name has ended. */
function onStep(step: string, act: () => void): { stop: () => void } {
  const hear = (message: unknown): void => {
    if ((message as StepMessage).step === step) act()
  }
  subscribe('hostbrick:step', hear)
  return {
    stop() {
      unsubscribe('hostbrick:step', hear)
    },
  }
}

/** The names of the disks that lead to a volume. */
function disksOf({ scsi_wwn: wwn = '' }: DeviceInfo): string[] {
  const naa = `naa.${wwn.slice(1)}\n`
  return run('sh', '-c', 'for disk in /sys/class/scsi_device/*/device; do echo $(cat $disk/wwid) $disk; done')
    .split('\n')
    .filter((line) => line.startsWith(naa.trim()))
}

function isReadOnly({ path }: DeviceInfo): boolean {
  return run('blockdev', '--getro', path).trim() === '1'
}

/** udev's name for the NAA designator that LIO makes of a serial number. */
function wwnOfSerial(serial: string): string {
  return `36001405${serial.replaceAll('-', '').slice(0, 25)}`
}
