/** What happens to NVMe volumes while they are used: paths that change, are lost and come back, neighbours that go, crowds. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { BrickError, inventory, NVMeOFConnector } from 'hostbrick'
import type { DeviceInfo } from 'hostbrick'
import { readControllers } from '../../../dist/nvme/controllers.js'
import { Watch } from '../../../dist/wait.js'
import { loadModules } from '../command.ts'
import { disconnectAll, removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { Traffic } from '../traffic.ts'
import { Undo } from '../undo.ts'

const NQN = 'nqn.2026-11.lab:use'
const addresses = ['127.0.0.1', '127.0.0.2']
const numbers = [1, 2, 3, 4, 5, 6, 7, 8] as const
const limit = { timeout: 120_000 }
const connector = new NVMeOFConnector({ useMultipath: true, settings: { reconnect_delay: 1, nr_io_queues: 1 } })

let shared: NvmeSubsystem
let alone: NvmeSubsystem
let ports: NvmePort[] = []
let clean: Snapshot
const undo = new Undo()

before(async () => {
  writeNvmeHost()
  undo.add(removeNvmeHost)
  loadModules('nvme_fabrics', 'nvme_tcp')
  const namespaces = Object.fromEntries(numbers.map((number) => [number, { megabytes: 8 }]))
  shared = undo.keep(new NvmeSubsystem({ nqn: `${NQN}-eight`, namespaces }))
  alone = undo.keep(new NvmeSubsystem({ nqn: NQN, namespaces: { 1: { megabytes: 8, group: 2 } } }))
  undo.add(() => {
    for (const port of ports) port.remove()
  })
  openPorts()
  undo.add(disconnectAll)
  await settled()
  clean = snapshot()
})
after(() => undo.run())
afterEach(async () => {
  await assertNothingLeft(clean)
})

function openPorts(): void {
  ports = addresses.map((address, index) => new NvmePort({ number: index + 1, address, subsystems: [shared, alone] }))
  for (const port of ports) port.setAnaState(2, 'optimized')
}

const portals = addresses.map((address) => [address, 4420, 'tcp'])
const volume = (subsystem: NvmeSubsystem, number = 1): Record<string, unknown> => ({
  target_nqn: subsystem.nqn,
  portals,
  vol_uuid: subsystem.namespace(number).uuid,
})
const attach = (properties: Record<string, unknown>): Promise<DeviceInfo> =>
  connector.connectVolume(properties, { ready: 'all' })
const controllers = async (): Promise<string[]> =>
  (await readControllers(AbortSignal.timeout(30_000))).map(({ name, state }) => `${name} ${state}`).sort()

describe('a subsystem of eight volumes', limit, () => {
  it('goes with the last of them; till then the others are written to as if nothing happened', async () => {
    const infos = await Promise.all(numbers.map((number) => attach(volume(shared, number))))
    const connected = await controllers()
    assert.equal(connected.length, 2)
    const used = new Map([3, 6, 8].map((number) => [number, new Traffic(infos[number - 1]?.path ?? '')]))
    for (const number of [1, 2, 4, 5, 7, 3, 6, 8]) {
      assert.deepEqual(await controllers(), connected)
      await used.get(number)?.stop()
      used.delete(number)
      await connector.disconnectVolume(volume(shared, number), infos[number - 1])
      if (number === 8) break
      shared.unmap(number)
      for (const traffic of used.values()) await traffic.flows()
    }
    assert.deepEqual(await controllers(), [])
  })
})

describe('the paths of a volume', limit, () => {
  afterEach(() => {
    for (const port of ports) port.setAnaState(2, 'optimized')
  })

  it('change while it is written to, and each attach tells how they are', async () => {
    const info = await attach(volume(alone))
    const traffic = new Traffic(info.path)
    for (const states of [
      ['non-optimized', 'optimized'],
      ['inaccessible', 'non-optimized'],
      ['optimized', 'persistent-loss'],
    ]) {
      for (const [index, state] of states.entries()) ports[index]?.setAnaState(2, state)
      await traffic.flows()
      const { paths } = await attach(volume(alone))
      const told = new Map(paths.map(({ portal, ana_state }) => [portal, ana_state]))
      assert.deepEqual(
        addresses.map((address) => told.get(`${address}:4420`)),
        states,
      )
      const listed = (await inventory()).controllers
        .filter(({ nqn }) => nqn === alone.nqn)
        .flatMap(({ paths }) => paths)
      assert.deepEqual(listed.map(({ anaState }) => anaState).sort(), states.toSorted())
      assert.deepEqual(new Set(listed.map(({ device }) => `/dev/${device}`)), new Set([info.path]))
    }
    await traffic.stop()
    await connector.disconnectVolume(volume(alone), info)
  })

  it('may all be inaccessible at first', async () => {
    for (const port of ports) port.setAnaState(2, 'inaccessible')
    const attaching = connector.connectVolume(volume(alone))
    using news = new Watch('kernel', ['SUBSYSTEM=nvme\0'])
    await news.until(async () => ((await controllers()).length === 2 ? true : undefined), AbortSignal.timeout(30_000))
    ports[1]?.setAnaState(2, 'optimized')
    await connector.disconnectVolume(volume(alone), await attaching)
  })

  it('are lost and come back, and what was written meanwhile arrives', async () => {
    const info = await attach(volume(alone))
    const traffic = new Traffic(info.path)
    await traffic.flows()
    for (const port of ports) port.remove()
    const before = traffic.written
    openPorts()
    await traffic.flows()
    assert.ok(traffic.written > before, 'nothing was written')
    // It waits for controllers that are still being connected anew.
    assert.equal((await attach(volume(alone))).paths.length, 2)
    await traffic.stop()
    await connector.disconnectVolume(volume(alone), info)
  })
})

describe('32 subsystems', { timeout: 180_000 }, () => {
  const crowd: NvmeSubsystem[] = []
  before(() => {
    for (let number = 1; number <= 32; number++) {
      crowd.push(new NvmeSubsystem({ nqn: `${NQN}-${number}`, namespaces: { 1: { megabytes: 4 } } }))
    }
    for (const each of crowd) ports[0]?.serve(each)
  })
  after(() => {
    for (const each of crowd) {
      ports[0]?.withdraw(each)
      each.remove()
    }
  })

  it('are attached at once, and detached at once', async () => {
    const volumes = crowd.map((each) => ({
      target_nqn: each.nqn,
      portals: portals.slice(0, 1),
      vol_uuid: each.namespace(1).uuid,
    }))
    const infos = await Promise.all(volumes.map((each) => connector.connectVolume(each, { timeout: 120_000 })))
    assert.deepEqual(
      infos.map(({ identity }) => identity.value),
      crowd.map((each) => `uuid.${each.namespace(1).uuid}`),
    )
    assert.equal(new Set(infos.map(({ path }) => path)).size, 32)
    await Promise.all(
      volumes.map((each, index) => connector.disconnectVolume(each, infos[index], { timeout: 120_000 })),
    )
    assert.deepEqual(await controllers(), [])
  })
})

describe('a volume that is not there any more', limit, () => {
  it('is a failure of an attach that says so', async () => {
    const gone = volume(alone)
    alone.unmap(1)
    await assert.rejects(connector.connectVolume(gone, { timeout: 20_000 }), (error) => {
      assert.ok(error instanceof BrickError, String(error))
      assert.equal(error.code, 'LUN_NOT_MAPPED', error.message)
      return true
    })
    alone.map(1, { megabytes: 8, group: 2 })
  })
})
