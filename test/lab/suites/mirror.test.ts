/** Replicated NVMe volumes: MD RAID1 over namespaces of several subsystems. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import { BrickError, NVMeOFConnector } from 'hostbrick'
import type { DeviceInfo, ErrorCode } from 'hostbrick'
import { loadModules, run } from '../command.ts'
import { readDevice, writeDevice } from '../device.ts'
import { removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { OsBrick } from '../os-brick.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { until } from '../wait.ts'

const MEBIBYTE = 1024 * 1024
const NQN = 'nqn.2026-11.lab:mirror'
const limit = { timeout: 240_000 }
const connector = new NVMeOFConnector({ settings: { fast_io_fail_tmo: 1, reconnect_delay: 1 } })

interface Side {
  subsystem: NvmeSubsystem
  port: NvmePort
}
let left: Side
let right: Side
let clean: Snapshot

before(async () => {
  writeNvmeHost()
  loadModules('nvme_fabrics', 'nvme_tcp')
  const side = (number: number): Side => {
    const subsystem = new NvmeSubsystem({ nqn: `${NQN}-${number}`, namespaces: {} })
    return { subsystem, port: new NvmePort({ number, address: `127.0.0.${number}`, subsystems: [subsystem] }) }
  }
  left = side(1)
  right = side(2)
  await settled()
  clean = snapshot()
})
after(() => {
  for (const { port, subsystem } of [left, right]) {
    port.remove()
    subsystem.remove()
  }
  removeNvmeHost()
})
afterEach(async () => {
  unmap()
  await assertNothingLeft(clean)
})

/** The namespaces that are mapped. */
const mapped: { side: Side; number: number }[] = []

function map(...numbers: number[]): void {
  for (const number of numbers) {
    for (const side of [left, right]) {
      side.subsystem.map(number, { megabytes: 32 })
      mapped.push({ side, number })
    }
  }
}

function unmap(but?: (side: Side, number: number) => boolean): void {
  for (const each of mapped.splice(0)) {
    if (but?.(each.side, each.number)) mapped.push(each)
    else each.side.subsystem.unmap(each.number)
  }
}

function leg({ subsystem, port }: Side, number: number): Record<string, unknown> {
  const portals = [[port.address, 4420, 'TCP']]
  return { target_nqn: subsystem.nqn, portals, vol_uuid: subsystem.namespace(number).uuid }
}

const mirror = (number: number, alias = `volume-${number}`): Record<string, unknown> => ({
  vol_uuid: '6d54cb90-a5d1-40d8-8000-000000000000',
  alias,
  replica_count: 2,
  volume_replicas: [leg(left, number), leg(right, number)],
})

describe('a mirror', limit, () => {
  it('is made of blank legs, written, extended and detached, and is there again', async () => {
    map(1)
    const content = randomBytes(MEBIBYTE)
    const first = await connector.connectVolume(mirror(1))
    assert.equal(first.path, '/dev/md/volume-1')
    assert.deepEqual([first.degraded, first.failures, first.paths.length, first.expected_paths], [false, [], 2, 2])
    assert.equal(first.identity.source, 'md')
    writeDevice(first.path, content)
    const again = await connector.connectVolume(mirror(1))
    assert.deepEqual([again.path, again.identity], [first.path, first.identity])
    assert.deepEqual((await connector.getVolumePaths(mirror(1))).sort(), first.paths.map(({ path }) => path).sort())

    for (const { subsystem } of [left, right]) subsystem.namespace(1).growSilently(48)
    const grown = await connector.extendVolume(mirror(1), { expectedBytes: 48 * MEBIBYTE })
    assert.ok(grown > first.size && grown <= 48 * MEBIBYTE, `${grown} bytes`)
    assert.equal(await connector.extendVolume(mirror(1)), grown)
    await rejects('NOT_EXTENDED', connector.extendVolume(mirror(1), { expectedBytes: 49 * MEBIBYTE }))
    await connector.disconnectVolume(mirror(1), again)
    await assertNothingLeft(clean)

    const second = await connector.connectVolume(mirror(1))
    assert.deepEqual([second.size, second.identity.value], [grown, first.identity.value])
    assert.ok(readDevice(second.path, content.length).equals(content), 'what was written is there')
    run('mkfs.ext4', '-q', second.path)
    run('mount', second.path, '/mnt')
    await rejects('DEVICE_IN_USE', connector.disconnectVolume(mirror(1)))
    run('umount', '/mnt')
    await connector.disconnectVolume(mirror(1))
  })

  it('goes on without a leg that fails, which catches up when it is back', async () => {
    map(2)
    const content = randomBytes(MEBIBYTE)
    const first = await connector.connectVolume(mirror(2))
    right.port.withdraw(right.subsystem)
    writeDevice(first.path, content)
    assert.equal(degraded(first), 1)
    await connector.disconnectVolume(mirror(2), first)
    await assertNothingLeft(clean)

    right.port.serve(right.subsystem)
    const whole = await connector.connectVolume(mirror(2))
    assert.deepEqual(whole.failures, [])
    await until('the leg has caught up', () => degraded(whole) === 0)
    await connector.disconnectVolume(mirror(2), whole)

    left.port.withdraw(left.subsystem)
    const other = await connector.connectVolume(mirror(2)).finally(() => {
      left.port.serve(left.subsystem)
    })
    assert.deepEqual([other.degraded, other.paths.length, other.failures.length], [true, 1, 1])
    assert.ok(readDevice(other.path, content.length).equals(content), 'what the other leg had missed is there')
    await connector.disconnectVolume(mirror(2), other)
  })

  it('on nvme0n1 is not the one on nvme0n10', async () => {
    map(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    const [ofLeft, ofRight] = [await numbersOf(left), await numbersOf(right)]
    const mirrorOn = (suffix: string): Record<string, unknown> => ({
      ...mirror(1, `volume-${suffix}`),
      volume_replicas: [leg(left, ofLeft(suffix)), leg(right, ofRight(suffix))],
    })
    const [one, ten] = [mirrorOn('n1'), mirrorOn('n10')]
    await connector.connectVolume(one)
    const info = await connector.connectVolume(ten)
    await connector.disconnectVolume(one)
    writeDevice(info.path, randomBytes(4096))
    unmap((side, number) => number === (side === left ? ofLeft : ofRight)('n10'))
    await connector.disconnectVolume(ten, info)
  })

  it('of one replica is that replica', async () => {
    map(3)
    const volume = { ...mirror(3), replica_count: 1, volume_replicas: [leg(left, 3)] }
    const info = await connector.connectVolume(volume)
    assert.deepEqual([info.path, info.identity.source], [info.paths[0]?.path, 'nvme'])
    writeDevice(info.path, randomBytes(4096))
    await connector.disconnectVolume(volume, info)
  })
})

describe('os-brick', limit, () => {
  it('has its mirrors detached and attached, and detaches ours', async () => {
    map(8)
    const content = randomBytes(MEBIBYTE)
    const osBrick = OsBrick.start()
    const { info } = await osBrick.connect('NVMEOF', mirror(8))
    writeDevice('/dev/md/volume-8', content)
    await connector.disconnectVolume(mirror(8), info)
    await assertNothingLeft(clean)

    const device = await connector.connectVolume(mirror(8))
    assert.deepEqual([device.path, device.degraded], [info['path'], false])
    assert.ok(readDevice(device.path, content.length).equals(content), 'what was written is there')
    await osBrick.disconnect('NVMEOF', mirror(8), { ...device })
    await osBrick.stop()
  })
})

describe('legs', limit, () => {
  it('that are not all there make no new mirror', async () => {
    map(4)
    const volume = {
      ...mirror(4),
      volume_replicas: [leg(left, 4), { ...leg(right, 4), portals: [['127.0.0.2', 4999, 'tcp']] }],
    }
    await rejects('DEVICE_NOT_FOUND', connector.connectVolume(volume))
    await assertNothingLeft(clean)
  })

  it('with something on them are left alone', async () => {
    map(5)
    const { path } = await connector.connectVolume(leg(left, 5))
    run('mkfs.ext4', '-q', path)
    await rejects('IDENTITY_MISMATCH', connector.connectVolume(mirror(5)))
    run('fsck.ext4', '-fn', path)
    await connector.disconnectVolume(leg(left, 5))
  })

  it('of another mirror are left alone', async () => {
    map(6)
    const info = await connector.connectVolume(mirror(6))
    await connector.disconnectVolume(mirror(6), info)
    await rejects('IDENTITY_MISMATCH', connector.connectVolume(mirror(6, 'volume-66')))
    await assertNothingLeft(clean)
    const again = await connector.connectVolume(mirror(6))
    assert.deepEqual([again.identity.value, again.degraded], [info.identity.value, false])
    await connector.disconnectVolume(mirror(6), again)
  })

  it('that were used one without the other are not put together again', async () => {
    map(7)
    await connector.disconnectVolume(mirror(7), await connector.connectVolume(mirror(7)))
    for (const { port, subsystem } of [left, right]) {
      port.withdraw(subsystem)
      const info = await connector.connectVolume(mirror(7)).finally(() => {
        port.serve(subsystem)
      })
      writeDevice(info.path, randomBytes(4096))
      await connector.disconnectVolume(mirror(7), info)
    }
    await rejects('IDENTITY_MISMATCH', connector.connectVolume(mirror(7)))
  })
})

/** Which namespace the kernel calls nvme…n1, n10 and so on: they come in any order. */
async function numbersOf(side: Side): Promise<(suffix: string) => number> {
  const { path } = await connector.connectVolume(leg(side, 1))
  const stem = path.replace('/dev/', '/sys/class/block/').replace(/n\d+$/, '')
  await until(`${stem} has ten namespaces`, () => existsSync(`${stem}n10/nsid`))
  return (suffix) => Number(readFileSync(`${stem}${suffix}/nsid`, 'utf8'))
}

function degraded({ path }: DeviceInfo): number {
  const array = realpathSync(path).replace('/dev/', '')
  return Number(readFileSync(`/sys/class/block/${array}/md/degraded`, 'utf8'))
}

async function rejects(code: ErrorCode, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof BrickError, String(error))
    assert.equal(error.code, code, error.message)
    assert.equal(error.details['undone'], undefined, 'all was undone')
    return true
  })
}
