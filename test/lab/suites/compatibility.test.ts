/** What os-brick has attached hostbrick detaches, and the other way round. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import { InitiatorConnector } from 'hostbrick'
import { loadModules } from '../command.ts'
import { startIscsid, startMultipathd, type Daemon } from '../daemons.ts'
import { readDevice, writeDevice } from '../device.ts'
import { removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { OsBrick } from '../os-brick.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'

const IQN = 'iqn.2026-11.lab:compatibility'
const NQN = 'nqn.2026-11.lab:compatibility'
const addresses = ['127.0.0.1', '127.0.0.2']
const portals = addresses.map((address) => `${address}:3260`)

let osBrick: OsBrick
let iscsid: Daemon
let multipathd: Daemon
let target: IscsiTarget
let subsystem: NvmeSubsystem
let ports: NvmePort[]
let clean: Snapshot

before(async () => {
  osBrick = OsBrick.start()
  writeNvmeHost()
  loadModules('nvme_fabrics', 'nvme_tcp')
  iscsid = await startIscsid()
  multipathd = await startMultipathd()
  target = iscsiTarget({ iqn: IQN, portals, luns: { 1: { megabytes: 16 } } })
  subsystem = new NvmeSubsystem({ nqn: NQN, namespaces: { 1: { megabytes: 16 } } })
  ports = addresses.map((address, index) => new NvmePort({ number: index + 1, address, subsystems: [subsystem] }))
  const { connector, properties } = volumeOf('ISCSI', false)
  const info = await connector.connectVolume(properties)
  // multipathd may be making a map of the disk that nobody has asked for: until it has, the disk is in use.
  await settled()
  await connector.disconnectVolume(properties, info)
  await settled()
  clean = snapshot()
})
after(async () => {
  await osBrick.stop()
  for (const port of ports) port.remove()
  subsystem.remove()
  target.remove()
  await multipathd.stop()
  await iscsid.stop()
  removeNvmeHost()
})
afterEach(async () => {
  await assertNothingLeft(clean)
})

type Protocol = 'ISCSI' | 'NVMEOF'

interface Volume {
  readonly connector: InitiatorConnector
  readonly properties: Record<string, unknown>
}

function volumeOf(protocol: Protocol, multipath: boolean): Volume {
  const connector = InitiatorConnector.factory(protocol, { useMultipath: multipath })
  const count = multipath ? 2 : 1
  const iscsi = {
    target_portals: portals.slice(0, count),
    target_iqns: Array<string>(count).fill(IQN),
    target_luns: Array<number>(count).fill(1),
    target_discovered: false,
    qos_specs: null,
    access_mode: 'rw',
  }
  const nvmeof = {
    target_nqn: NQN,
    portals: addresses.slice(0, count).map((address) => [address, '4420', 'tcp']),
    vol_uuid: subsystem.namespace(1).uuid,
  }
  return { connector, properties: protocol === 'ISCSI' ? iscsi : nvmeof }
}

type Info = Record<string, unknown>

/** What Nova notes of a device is among the properties. */
const noted = (properties: Info, { path }: Info): Info => ({ ...properties, device_path: path })

/** How callers ask for a detach; over several paths the first two are enough. */
const callers: readonly [name: string, detach: (volume: Volume, info: Info) => Promise<void>][] = [
  ['Cinder', ({ connector, properties }, info) => connector.disconnectVolume(properties, info)],
  [
    'Nova',
    ({ connector, properties }, info) =>
      connector.disconnectVolume({ driver_volume_type: 'any', data: noted(properties, info) }, null),
  ],
  [
    'Nova, over Fibre Channel',
    ({ connector, properties }, info) => connector.disconnectVolume(noted(properties, info), noted(properties, info)),
  ],
  ['one who knows nothing more', ({ connector, properties }) => connector.disconnectVolume(properties)],
]

for (const protocol of ['ISCSI', 'NVMEOF'] as const) {
  for (const multipath of [false, true]) {
    describe(`${protocol} over ${multipath ? 'two paths' : 'one path'}`, { timeout: 300_000 }, () => {
      for (const [caller, detach] of multipath ? callers.slice(0, 2) : callers) {
        it(`attached by os-brick is detached by hostbrick for ${caller}`, async () => {
          const volume = volumeOf(protocol, multipath)
          const { info } = await osBrick.connect(protocol, volume.properties, { multipath })
          // As above.
          await settled()
          await detach(volume, info)
        })
      }

      it('attached by hostbrick is detached by os-brick', async () => {
        const { connector, properties } = volumeOf(protocol, multipath)
        const content = randomBytes(4096)
        const first = await connector.connectVolume(properties, { ready: 'all' })
        writeDevice(first.path, content)
        await osBrick.disconnect(protocol, properties, JSON.parse(JSON.stringify(first)) as Info, { multipath })
        await assertNothingLeft(clean)

        const { path } = await connector.connectVolume(properties, { ready: 'all' })
        assert.ok(readDevice(path, content.length).equals(content), 'os-brick has written it out')
        await osBrick.disconnect(protocol, noted(properties, { path }), null, { multipath })
      })

      it('attached by both is one device', async () => {
        const { connector, properties } = volumeOf(protocol, multipath)
        const { info } = await osBrick.connect(protocol, properties, { multipath })
        const ours = await connector.connectVolume(properties)
        assert.equal(ours.path, info['path'])
        if (protocol === 'ISCSI') assert.equal(ours.scsi_wwn, info['scsi_wwn'])
        assert.equal(ours.multipath_id, info['multipath_id'])
        await connector.disconnectVolume(properties, info)
      })
    })
  }
}
