/** NVMe over RDMA, Fibre Channel and the loop transport, through the public API, and who else connects besides. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import { BrickError, discoverNvmeSubsystems, NVMeOFConnector } from 'hostbrick'
import type { ErrorCode, NvmeTransport } from 'hostbrick'
import { readControllers } from '../../../dist/nvme/controllers.js'
import { beginConnect, deleteController } from '../../../dist/nvme/fabrics.js'
import { loadModules } from '../command.ts'
import { readDevice, writeDevice } from '../device.ts'
import { fcLoop, type FcLoop } from '../fc-loop.ts'
import { disconnectAll, nvmeHost, removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { rdmaDevice, type RdmaDevice } from '../rdma.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { Undo } from '../undo.ts'

const MEBIBYTE = 1024 * 1024
const NQN = 'nqn.2026-11.lab:transports'
const DISCOVERY = 'nqn.2014-08.org.nvmexpress.discovery'
const timely = (): AbortSignal => AbortSignal.timeout(30_000)
const limit = { timeout: 60_000 }

let fc: FcLoop
let rdma: RdmaDevice
let subsystem: NvmeSubsystem
let clean: Snapshot
const undo = new Undo()

before(async () => {
  writeNvmeHost()
  undo.add(removeNvmeHost)
  loadModules('nvme_fabrics')
  fc = undo.keep(fcLoop())
  rdma = undo.keep(rdmaDevice())
  subsystem = undo.keep(new NvmeSubsystem({ nqn: NQN, namespaces: { 3: { megabytes: 16 } } }))
  const subsystems = [subsystem]
  undo.keep(new NvmePort({ number: 1, transport: 'loop', subsystems }))
  undo.keep(new NvmePort({ number: 2, transport: 'fc', address: fc.targetPort, subsystems }))
  undo.keep(new NvmePort({ number: 3, transport: 'rdma', address: rdma.address, subsystems }))
  undo.keep(new NvmePort({ number: 4, address: '127.0.0.1', subsystems }))
  undo.add(disconnectAll)
  await settled()
  clean = snapshot()
})
after(() => undo.run())
afterEach(async () => {
  await assertNothingLeft(clean)
})

/** Each transport's portal, as it is written in properties, and what the host adds. */
const ways = (): Record<NvmeTransport, { portal: unknown[]; place: string; settings: { host_traddr?: string } }> => ({
  loop: { portal: [null, null, 'loop'], place: '', settings: {} },
  fc: { portal: [fc.targetPort, null, 'fc'], place: fc.targetPort, settings: { host_traddr: fc.hostPort } },
  rdma: { portal: [rdma.address, 4420, 'RoCEv2'], place: `${rdma.address}:4420`, settings: {} },
  tcp: { portal: ['127.0.0.1', 4420, 'tcp'], place: '127.0.0.1:4420', settings: {} },
})
const volume = (...portals: unknown[]): Record<string, unknown> => ({
  target_nqn: NQN,
  portals,
  vol_uuid: subsystem.namespace(3).uuid,
})

for (const transport of ['loop', 'fc', 'rdma'] as const) {
  describe(`over ${transport}`, limit, () => {
    it('a volume is attached, used, extended and detached; twice is once', async () => {
      const { portal, place, settings } = ways()[transport]
      const connector = new NVMeOFConnector({ settings })
      const content = randomBytes(MEBIBYTE)
      const first = await connector.connectVolume(volume(portal))
      writeDevice(first.path, content)
      const second = await connector.connectVolume(volume(portal))
      assert.deepEqual([second.path, second.identity], [first.path, first.identity])
      assert.deepEqual(
        second.paths.map((path) => [path.portal, path.ana_state]),
        [[place, 'optimized']],
      )
      const megabytes = first.size / MEBIBYTE + 8
      subsystem.namespace(3).growSilently(megabytes)
      assert.equal(await connector.extendVolume(volume(portal)), megabytes * MEBIBYTE)
      assert.ok(readDevice(first.path, content.length).equals(content), 'what was written is there')
      await connector.disconnectVolume(volume(portal), first)
    })

    it('a subsystem that is not there is none', async () => {
      const { portal, settings } = ways()[transport]
      const connector = new NVMeOFConnector({ settings })
      const absent = { ...volume(portal), target_nqn: `${NQN}-absent` }
      await rejects('TARGET_NOT_FOUND', connector.connectVolume(absent, { timeout: 10_000 }))
    })

    it('what there is to find is found, as over TCP', async () => {
      const { portal, settings } = ways()[transport]
      const address = typeof portal[0] === 'string' ? { address: portal[0] } : {}
      const found = await discoverNvmeSubsystems({ transport, ...address }, { settings })
      assert.deepEqual(
        found.map((each) => [each.nqn, each.transport]),
        [
          [DISCOVERY, transport],
          [NQN, transport],
        ],
      )
    })
  })
}

describe('several transports', limit, () => {
  it('lead to one device, and are left all', async () => {
    const { loop, fc: fibre, rdma: roce, tcp } = ways()
    const connector = new NVMeOFConnector({ useMultipath: true })
    const all = volume(loop.portal, roce.portal, tcp.portal)
    const info = await connector.connectVolume(all, { ready: 'all' })
    assert.deepEqual(info.paths.map(({ portal }) => portal).sort(), [loop.place, roce.place, tcp.place].sort())
    const over = new NVMeOFConnector({ settings: fibre.settings })
    assert.equal((await over.connectVolume(volume(fibre.portal))).path, info.path)
    await connector.disconnectVolume(all, info)
  })
})

describe('what does not fit', limit, () => {
  it('says so', async () => {
    const { fc: fibre, rdma: roce, tcp } = ways()
    const attach = (portal: unknown[], settings = {}): Promise<unknown> =>
      new NVMeOFConnector({ settings }).connectVolume(volume(portal), { timeout: 10_000 })
    await rejects('INVALID_ARGUMENT', attach(fibre.portal), /host_traddr/)
    const elsewhere = fc.targetPort.replaceAll('2', '9')
    await rejects('PORTAL_UNREACHABLE', attach([elsewhere, null, 'fc'], fibre.settings), /not found/)
    await rejects('PORTAL_UNREACHABLE', attach([rdma.address, 4999, 'rdma']), /rejected/)
    await rejects('INVALID_ARGUMENT', attach(roce.portal, { hdr_digest: true }), /hdr_digest/)
    await rejects('PORTAL_UNREACHABLE', attach(tcp.portal, { host_iface: 'no-such-0' }), /ENODEV/)
    await rejects('PORTAL_UNREACHABLE', attach(tcp.portal, { host_traddr: '192.0.2.1' }), /EADDRNOTAVAIL/)
  })

  it('and what does is used', async () => {
    const { tcp } = ways()
    const settings = {
      ...{ host_traddr: '127.0.0.1', host_iface: 'lo', nr_io_queues: 1, nr_write_queues: 1, nr_poll_queues: 1 },
      ...{ queue_size: 64, ctrl_loss_tmo: 60, reconnect_delay: 2, fast_io_fail_tmo: 5, keep_alive_tmo: 15, tos: 8 },
      ...{ hdr_digest: true, data_digest: true, disable_sqflow: true },
    }
    const connector = new NVMeOFConnector({ settings })
    const info = await connector.connectVolume(volume(tcp.portal))
    const [controller] = await readControllers(timely())
    assert.deepEqual([controller?.address?.hostTraddr, controller?.address?.hostIface], ['127.0.0.1', 'lo'])
    writeDevice(info.path, randomBytes(MEBIBYTE))
    await connector.disconnectVolume(volume(tcp.portal), info)
  })
})

describe("others' controllers", limit, () => {
  it('are no way to the volume, and are left alone', async () => {
    const { tcp } = ways()
    const connector = new NVMeOFConnector()
    const others = [
      // Of somebody else who has the same subsystem, under another name.
      await connect({ nqn: NQN, hostnqn: `${nvmeHost.nqn}-other`, hostid: nvmeHost.id.replace(/^0/, '1') }),
      // Of a daemon that watches for changes.
      await connect({ nqn: DISCOVERY, hostnqn: nvmeHost.nqn, hostid: nvmeHost.id, keep_alive_tmo: 30 }),
    ]
    try {
      await connector.disconnectVolume(volume(tcp.portal))
      const info = await connector.connectVolume(volume(tcp.portal))
      const mine = info.paths.map(({ controller }) => controller)
      assert.equal(mine.length, 1)
      assert.ok(!others.includes(mine[0] ?? ''), `${String(mine)} is another's`)
      assert.equal((await discoverNvmeSubsystems('127.0.0.1:4420', { settings: { host_iface: 'lo' } })).length, 2)
      await connector.disconnectVolume(volume(tcp.portal), info)
      const left = await readControllers(timely())
      assert.deepEqual(left.map(({ name, state }) => [name, state]).sort(), others.map((name) => [name, 'live']).sort())
    } finally {
      for (const controller of await readControllers(timely())) {
        if (others.includes(controller.name)) await deleteController(controller, timely())
      }
    }
  })
})

async function connect(options: Record<string, string | number>): Promise<string> {
  const where = { transport: 'tcp', traddr: '127.0.0.1', trsvcid: 4420 }
  const { outcome } = await beginConnect({ ...where, ...options }, timely())
  return `nvme${(await outcome).instance}`
}

async function rejects(code: ErrorCode, call: Promise<unknown>, message = /./): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof BrickError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  })
}
