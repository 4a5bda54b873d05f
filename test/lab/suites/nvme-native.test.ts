/**
 * NVMe over Fabrics below the connector: discovery by our own hand through the public API, and the addon's verbs with
 * what reads their answers, against the kernel's own target over TCP.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { discoverNvmeSubsystems, NVMeOFConnector } from 'hostbrick'
import { binding, finish, type FabricsController } from '../../../dist/binding.js'
import {
  activeNamespaces,
  anaGroups,
  discoveryLog,
  identifyController,
  identifyNamespace,
  namespaceNames,
} from '../../../dist/nvme/admin.js'
import { formatAddress, nvmeAddress } from '../../../dist/nvme/address.js'
import { readControllers, type NvmeController, type NvmePath } from '../../../dist/nvme/controllers.js'
import {
  addressOptions,
  beginConnect,
  deleteController,
  rescanController,
  supportedOptions,
  type FabricsOptions,
} from '../../../dist/nvme/fabrics.js'
import { Secret } from '../../../dist/properties/secret.js'
import { Watch } from '../../../dist/wait.js'
import { loadModules, run } from '../command.ts'
import { blackHole } from '../network.ts'
import { nvmeHost, removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'

const MEBIBYTE = 1024 * 1024
const NQN = 'nqn.2026-11.lab:native'
const { nqn: HOST, id: HOST_ID } = nvmeHost
const GUEST = 'nqn.2014-08.org.nvmexpress:uuid:11111111-2c0f-4f6e-9a52-6f2d3a1b4c5d'
const DISCOVERY = 'nqn.2014-08.org.nvmexpress.discovery'
const timely = (): AbortSignal => AbortSignal.timeout(30_000)

let open: NvmeSubsystem
let closed: NvmeSubsystem
let ports: NvmePort[]
let clean: Snapshot

before(() => {
  writeNvmeHost()
  setUp()
  clean = snapshot()
})
after(() => {
  tearDown()
  removeNvmeHost()
})

function setUp(): void {
  loadModules('nvme_fabrics', 'nvme_tcp')
  open = new NvmeSubsystem({
    nqn: NQN,
    namespaces: { 1: { megabytes: 64 }, 7: { megabytes: 32, blockSize: 4096, group: 2 } },
  })
  closed = new NvmeSubsystem({ nqn: `${NQN}-closed`, namespaces: { 1: { megabytes: 8 } }, hosts: [{ nqn: GUEST }] })
  ports = [
    new NvmePort({ number: 1, address: '127.0.0.1', subsystems: [open, closed] }),
    new NvmePort({ number: 2, address: '127.0.0.2', subsystems: [open] }),
    new NvmePort({ number: 3, address: '::1', service: 4421, subsystems: [open] }),
  ]
  ports[0]?.setAnaState(2, 'non-optimized')
  ports[1]?.setAnaState(2, 'inaccessible')
}

function tearDown(): void {
  for (const port of ports) port.remove()
  open.remove()
  closed.remove()
}

describe('our own discovery', () => {
  const lines = (found: Awaited<ReturnType<typeof discoverNvmeSubsystems>>): string[] =>
    found.map((each) => `${each.subtype} ${each.transport} ${each.traddr} ${each.trsvcid} ${each.nqn}`).sort()

  it('finds what nvmet has at this port, in JSON', async () => {
    const found = await discoverNvmeSubsystems('127.0.0.1:4420')
    assert.deepEqual(JSON.parse(JSON.stringify(found)), found)
    assert.deepEqual(lines(found), [`discovery tcp 127.0.0.1 4420 ${DISCOVERY}`, `nvm tcp 127.0.0.1 4420 ${NQN}`])
    const { portId, controllerId, adminQueueSize, addressFamily, tls } = found.find(({ nqn }) => nqn === NQN) ?? {}
    assert.deepEqual(
      { portId, controllerId, adminQueueSize, addressFamily, tls },
      { portId: 1, controllerId: null, adminQueueSize: 32, addressFamily: 'ipv4', tls: false },
    )
  })

  it('finds what is meant for the host that it names', async () => {
    const found = await discoverNvmeSubsystems({ address: '127.0.0.1', port: 4420 }, { hostNqn: GUEST })
    assert.deepEqual(found.map(({ nqn }) => nqn).sort(), [DISCOVERY, NQN, `${NQN}-closed`].sort())
  })

  it('asks at IPv6 addresses and host names', async () => {
    const found = await discoverNvmeSubsystems('[::1]:4421')
    assert.deepEqual(lines(found).at(-1), `nvm tcp ::1 4421 ${NQN}`)
    assert.equal((await discoverNvmeSubsystems('localhost:4420')).length, 2)
  })

  it('reads lists of many parts', async () => {
    const many = Array.from({ length: 10 }, (_, number) => {
      return new NvmeSubsystem({ nqn: `${NQN}-many-${number}-`.padEnd(222, 'x'), namespaces: {} })
    })
    const port = new NvmePort({ number: 4, address: '127.0.0.4', subsystems: many })
    try {
      const found = await discoverNvmeSubsystems('127.0.0.4:4420')
      assert.deepEqual(found.map(({ nqn }) => nqn).sort(), [DISCOVERY, ...many.map(({ nqn }) => nqn)].sort())
    } finally {
      port.remove()
      for (const subsystem of many) subsystem.remove()
    }
  })

  it('finds what nvme-cli finds', async () => {
    const theirs = JSON.parse(
      run('nvme', 'discover', '--transport=tcp', '--traddr=127.0.0.2', '--trsvcid=4420', '--output-format=json'),
    ) as { records: { subnqn: string; traddr: string; portid: number }[] }
    const found = await discoverNvmeSubsystems('127.0.0.2:4420')
    assert.deepEqual(
      found.map(({ nqn, traddr, portId }) => ({ nqn, traddr, portId })),
      theirs.records.map(({ subnqn, traddr, portid }) => ({ nqn: subnqn, traddr, portId: portid })),
    )
  })

  it('says who does not answer, in time', async () => {
    await assert.rejects(discoverNvmeSubsystems('127.0.0.1:4999'), { code: 'PORTAL_UNREACHABLE' })
    const hole = blackHole('127.0.0.3', 4420)
    try {
      await assert.rejects(discoverNvmeSubsystems('127.0.0.3:4420', { timeout: 500 }), { code: 'TIMEOUT' })
    } finally {
      hole.lift()
    }
  })

  it('leaves nothing behind', () => assertNothingLeft(clean))
})

describe('a connection by /dev/nvme-fabrics', () => {
  afterEach(async () => {
    for (const controller of await readControllers(timely())) {
      if (controller.transport === 'tcp') await deleteController(controller, timely())
    }
    await assertNothingLeft(clean)
  })

  it('takes options that the kernel lists', async () => {
    const known = await supportedOptions(timely())
    for (const name of ['transport', 'traddr', 'nqn', 'hostnqn', 'ctrl_loss_tmo', 'dhchap_secret', 'tls']) {
      assert.ok(known.has(name), `${name} is missing in ${[...known].join()}`)
    }
    await assert.rejects(connect(0, { no_such_option: 1 }), { code: 'NOT_SUPPORTED' })
  })

  it('brings a controller and its namespaces, as nvmet has them', async () => {
    const controller = await attach(0, [1, 7])
    const address = nvmeAddress('tcp', { traddr: '127.0.0.1', trsvcid: '4420' }, 'lab')
    const { name, subsystem, controllerId } = controller
    assert.deepEqual(
      { ...controller, name, subsystem, controllerId, paths: [] },
      {
        name,
        subsystem,
        controllerId,
        paths: [],
        transport: 'tcp',
        address,
        state: 'live',
        type: 'io',
        subsystemNqn: NQN,
        hostNqn: HOST,
        hostId: HOST_ID,
        tls: false,
      },
    )
    assert.match(subsystem ?? '', /^nvme-subsys\d+$/)
    assert.ok(controllerId !== null && controllerId > 0, String(controllerId))
    for (const [number, megabytes, anaState] of [
      [1, 64, 'optimized'],
      [7, 32, 'non-optimized'],
    ] as const) {
      const path = pathTo(controller, number)
      const { namespace } = path
      const told = open.namespace(number)
      assert.match(path.name, /^nvme\d+c\d+n\d+$/)
      assert.equal(path.anaState, anaState)
      assert.equal(namespace.path, `/dev/${namespace.name}`)
      assert.ok(existsSync(namespace.path), `no ${namespace.path}`)
      assert.equal(namespace.uuid, told.uuid)
      assert.equal(namespace.nguid, told.nguid)
      assert.equal(namespace.wwid, `uuid.${told.uuid}`)
      assert.equal(namespace.size, megabytes * MEBIBYTE)
    }

    const identity = await identifyController(name, timely())
    assert.equal(identity.controllerId, controllerId)
    assert.equal(identity.subsystemNqn, NQN)
    assert.equal(identity.model, readFileSync(`/sys/class/nvme/${name}/model`, 'utf8').trim())
    assert.equal(identity.serial, readFileSync(`/sys/class/nvme/${name}/serial`, 'utf8').trim())
    assert.deepEqual([identity.multipleControllers, identity.ana, identity.announcesNamespaces], [true, true, true])

    assert.deepEqual(await activeNamespaces(name, timely()), [1, 7])
    const { uuid, nguid } = open.namespace(7)
    const namespace = await identifyNamespace(name, 7, timely())
    assert.deepEqual(namespace, {
      blocks: BigInt((32 * MEBIBYTE) / 4096),
      blockSize: 4096,
      bytes: BigInt(32 * MEBIBYTE),
      nguid,
      eui64: null,
      shared: true,
      anaGroup: 2,
    })
    assert.deepEqual(await namespaceNames(name, 7, timely()), { eui64: null, nguid, uuid, commandSet: 0 })

    const groups = await anaGroups(name, identity, timely())
    assert.deepEqual(groups, [
      { group: 1, state: 'optimized', namespaces: [] },
      { group: 2, state: 'non-optimized', namespaces: [] },
    ])
  })

  it('brings one disk for several ways to it', async () => {
    await attach(0, [1, 7])
    const second = await attach(1, [1])
    assert.equal(pathTo(second, 7).anaState, 'inaccessible')
    const controllers = await readControllers(timely())
    assert.deepEqual(controllers.map(({ address }) => address && formatAddress(address)).sort(), [
      'tcp 127.0.0.1:4420',
      'tcp 127.0.0.2:4420',
    ])
    const [one, other] = controllers.map((controller) => pathTo(controller, 1))
    assert.equal(one?.namespace, other?.namespace)
    assert.notEqual(one?.name, other?.name)
  })

  it('over IPv6 is known by its address, however that is written', async () => {
    const { address } = await attach(2, [1])
    assert.deepEqual(address, nvmeAddress('tcp', { traddr: '[0:0:0:0:0:0:0:1]', trsvcid: 4421 }, 'lab'))
  })

  it('is made once', async () => {
    await attach(0, [1])
    await assert.rejects(connect(0), { code: 'EALREADY', path: '/dev/nvme-fabrics' })
  })

  it('that is refused says why', async () => {
    await assert.rejects(connect(0, { nqn: `${NQN}-closed` }), { code: 'EIO', detail: /nvme.*not allowed/i })
    await assert.rejects(connect(0, { nqn: `${NQN}-none` }), { code: 'EIO', detail: /nvme/ })
    await assert.rejects(connect(0, { trsvcid: 4999 }), { code: 'ECONNREFUSED' })
    await assert.rejects(connect(0, { transport: 'lab' }), { code: 'EINVAL' })
  })

  it('that the kernel does not understand says why, but shows no secret', async () => {
    const write = (options: string): Promise<unknown> => finish(binding().connectFabrics('lab', options), timely())
    await assert.rejects(write('transport=tcp,no_such_option=1'), { code: 'EINVAL', detail: /no_such_option=1/ })
    // The kernel's log has it now, and so would `detail`.
    await assert.rejects(write('transport=tcp,no_such_secret=lab-hidden'), (error) => {
      assert.ok(!inspect(error, { depth: 9, showHidden: true }).includes('lab-hidden'), 'a secret is shown')
      return true
    })
    await assert.rejects(connect(0, { dhchap_secret: new Secret('lab-hidden') }), (error) => {
      assert.ok(!inspect(error, { depth: 9, showHidden: true }).includes('lab-hidden'), 'a secret is shown')
      return true
    })
  })

  it('to a discovery controller finds what our own discovery does', async () => {
    const { instance } = await connect(1, { nqn: DISCOVERY })
    const name = `nvme${instance}`
    assert.deepEqual(await discoveryLog(name, timely()), await discoverNvmeSubsystems('127.0.0.2:4420'))
    const [controller] = await readControllers(timely())
    assert.deepEqual([controller?.name, controller?.type, controller?.paths], [name, 'discovery', []])
  })

  it('tells what the controller refuses from what the kernel refuses', async () => {
    const { name } = await attach(0, [1])
    await assert.rejects(finish(binding().identifyNvme('lab', `/dev/${name}`, 0xee, 0, 5000), timely()), {
      code: 'EIO',
      detail: /^status 0\/02/,
    })
    assert.equal(await identifyNamespace(name, 5, timely()), null)
    await assert.rejects(identifyController('nvme99', timely()), { code: 'ENOENT' })
  })

  it('looks again when its controller or we tell it to, and then the disk has grown', async () => {
    const { name } = await attach(0, [1, 7])
    await resized(name, 40, () => {
      open.namespace(7).grow(40)
    })
    await resized(name, 48, () => {
      open.namespace(7).growSilently(48)
      return rescanController(name, timely())
    })
    assert.equal((await identifyNamespace(name, 7, timely()))?.bytes, BigInt(48 * MEBIBYTE))
  })

  it('is gone with all that it brought, and cannot go twice', async () => {
    const controller = await attach(0, [1, 7])
    // What has its name is another one.
    await deleteController({ ...controller, subsystemNqn: 'nqn.2026-11.test:another' }, timely())
    await deleteController({ ...controller, controllerId: (controller.controllerId ?? 0) + 1 }, timely())
    assert.equal((await readControllers(timely())).length, 1)
    await deleteController(controller, timely())
    assert.deepEqual(await readControllers(timely()), [])
    await deleteController(controller, timely())
  })
})

describe('without native multipath', () => {
  // The target uses the same module, and so do transports that other suites have loaded.
  const unload = (): string => {
    const transports = ['nvme_fcloop', 'nvmet_fc', 'nvme_fc', 'nvmet_rdma', 'nvme_rdma', 'nvme_loop']
    return run(
      'modprobe',
      ...['--remove', ...transports, 'nvmet_tcp', 'nvmet', 'nvme_tcp', 'nvme_fabrics', 'nvme_core'],
    )
  }
  before(async () => {
    tearDown()
    await settled() // while udev looks at a disk, its module cannot go
    unload()
    run('modprobe', 'nvme_core', 'multipath=N')
    setUp()
  })
  afterEach(async () => {
    for (const controller of await readControllers(timely())) await deleteController(controller, timely())
  })
  after(async () => {
    tearDown()
    await settled()
    unload()
    setUp()
    await assertNothingLeft(clean)
  })

  it('each way brings a disk of its own', async () => {
    const controllers = [await attach(0, [1, 7]), await attach(2, [1])]
    const paths = controllers.map((controller) => pathTo(controller, 1))
    for (const { name, anaState, namespace } of paths) {
      assert.deepEqual([name, anaState], [namespace.name, null])
      assert.equal(namespace.uuid, open.namespace(1).uuid)
    }
    assert.notEqual(paths[0]?.name, paths[1]?.name)
  })

  it('a volume is the disk of one way, grows on all, and goes with all', async () => {
    const volume = (...numbers: number[]): Record<string, unknown> => ({
      target_nqn: NQN,
      portals: numbers.map((number) => [ports[number]?.address, ports[number]?.service, 'tcp']),
      vol_uuid: open.namespace(1).uuid,
    })
    const connector = new NVMeOFConnector({ useMultipath: true })
    const one = await connector.connectVolume(volume(0, 2))
    assert.deepEqual([one.paths.length, one.expected_paths, one.degraded], [1, 1, false])
    assert.equal(one.paths[0]?.ana_state, null)
    await assert.rejects(connector.connectVolume({ ...volume(0, 2), enforce_multipath: true }), {
      code: 'MULTIPATH_FAILED',
    })
    const other = await connector.connectVolume(volume(2))
    assert.notEqual(other.path, one.path)
    assert.deepEqual((await connector.getVolumePaths(volume(0))).sort(), [one.path, other.path].sort())
    open.namespace(1).growSilently(72)
    assert.equal(await connector.extendVolume(volume(0), { expectedBytes: 72 * MEBIBYTE }), 72 * MEBIBYTE)
    assert.equal((await connector.connectVolume(volume(0))).size, 72 * MEBIBYTE)
    open.unmap(7)
    await connector.disconnectVolume(volume(0), one)
    open.map(7, { megabytes: 32, blockSize: 4096, group: 2 })
    assert.deepEqual(await readControllers(timely()), [])
  })
})

describe('the kernel', () => {
  it('parked no call of ours', () => {
    assert.equal(binding().laneStatistics().parked, 0)
  })
})

async function connect(port: number, changes: FabricsOptions = {}): Promise<FabricsController> {
  const { address, service } = ports[port] ?? { address: '', service: 0 }
  const where = addressOptions(nvmeAddress('tcp', { traddr: address, trsvcid: service }, 'lab'))
  const { outcome } = await beginConnect(
    { ...where, nqn: NQN, hostnqn: HOST, hostid: HOST_ID, nr_io_queues: 1, ...changes },
    timely(),
  )
  return await outcome
}

/** Connects, and waits until these namespaces have their disks. */
async function attach(port: number, numbers: number[]): Promise<NvmeController> {
  using uevents = new Watch('kernel', ['SUBSYSTEM=block\0'])
  const { instance } = await connect(port)
  return await uevents.until(async () => {
    const controller = await only(`nvme${instance}`)
    const ready = (number: number): boolean => {
      const path = controller.paths.find(({ namespace }) => namespace.namespaceId === number)
      return path !== undefined && existsSync(path.namespace.path)
    }
    return numbers.every(ready) ? controller : undefined
  }, timely())
}

/** Waits until namespace 7 has the size that `grow` gives it. */
async function resized(name: string, megabytes: number, grow: () => void | Promise<void>): Promise<void> {
  using uevents = new Watch('kernel', ['RESIZE=1\0'])
  await grow()
  await uevents.until(async () => {
    const { size } = pathTo(await only(name), 7).namespace
    return size === megabytes * MEBIBYTE ? true : undefined
  }, timely())
}

async function only(name: string): Promise<NvmeController> {
  const controller = (await readControllers(timely())).find((each) => each.name === name)
  assert.ok(controller, `no ${name}`)
  return controller
}

function pathTo(controller: NvmeController, number: number): NvmePath {
  const path = controller.paths.find(({ namespace }) => namespace.namespaceId === number)
  assert.ok(path, `${controller.name} has no namespace ${number}`)
  return path
}
