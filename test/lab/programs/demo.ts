/** The main job, once through each transport: a volume is attached, written, extended and detached; nothing of it is left. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { FibreChannelConnector, inventory, ISCSIConnector, NVMeOFConnector } from 'hostbrick'
import type { InitiatorConnector, PathInfo } from 'hostbrick'
import { loadModules } from '../command.ts'
import { startIscsid } from '../daemons.ts'
import { readDevice, writeDevice } from '../device.ts'
import { Fabric } from '../fc-fabric.ts'
import { nvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { OsBrick } from '../os-brick.ts'
import { difference, settled, snapshot } from '../residue.ts'
import { median, table } from '../statistics.ts'
import { iscsiTarget } from '../targets.ts'

const MEBIBYTE = 1024 * 1024
const iqn = 'iqn.2026-11.lab:demo'
const portal = '127.0.0.1:3260'
const volume = { driver_volume_type: 'iscsi', data: { target_portal: portal, target_iqn: iqn, target_lun: 1 } }

const iscsid = await startIscsid()
const target = iscsiTarget({ iqn, portals: [portal], luns: { 1: { megabytes: 256 } } })
const connector = new ISCSIConnector()
await connector.disconnectVolume(volume, await connector.connectVolume(volume)) // to warm up, as os-brick below
await settled()
const clean = snapshot()

console.log(`\nA volume behind iSCSI, with hostbrick:\n${JSON.stringify(volume)}\n`)
const attached = await timed(() => connector.connectVolume(volume))
const info = attached.value
const { timings, ...device } = info
console.log(`attached in ${attached.milliseconds.toFixed(0)} ms\n${JSON.stringify(device, undefined, 2)}`)
for (const [step, milliseconds] of Object.entries(timings))
  console.log(`  ${step.padEnd(10)} ${milliseconds.toFixed(1).padStart(7)} ms`)
const disk = (await inventory()).byWwid.get(info.identity.value)?.[0]
console.log(
  `proven: ${info.path} says that it is ${disk?.identity?.designators.map(({ value }) => value).join(', ') ?? 'nothing'}`,
)

const content = randomBytes(16 * MEBIBYTE)
const written = await timed(() => {
  write(info.path, content)
})
console.log(
  `written 16 MiB in ${written.milliseconds.toFixed(0)} ms, read back: ${readDevice(info.path, content.length).equals(content) ? 'the same' : 'DIFFERENT'}`,
)

target.grow(1, 512)
const extended = await timed(() => connector.extendVolume(volume, { expectedBytes: 512 * MEBIBYTE }))
console.log(
  `extended from ${info.size / MEBIBYTE} to ${extended.value / MEBIBYTE} MiB in ${extended.milliseconds.toFixed(0)} ms`,
)

const detached = await timed(() => connector.disconnectVolume(volume, info))
await settled()
const left = difference(clean, snapshot())
console.log(
  `detached in ${detached.milliseconds.toFixed(0)} ms, left behind: ${left.length === 0 ? 'nothing' : left.join(', ')}`,
)

await showNvme()
await showFibreChannel()

console.log('\niSCSI with os-brick, three times after once to warm up (its start takes a while) ...')
const osBrick = OsBrick.start()
const theirs = { connect: [] as number[], disconnect: [] as number[] }
for (let round = 0; round <= 3; round++) {
  const connect = await osBrick.connect('ISCSI', volume.data)
  const disconnect = await osBrick.disconnect('ISCSI', volume.data, connect.info)
  if (round === 0) continue
  theirs.connect.push(connect.milliseconds)
  theirs.disconnect.push(disconnect.milliseconds)
}
await osBrick.stop()
const row = (name: string, ours: number, other: number): string[] => [
  name,
  ours.toFixed(0),
  other.toFixed(0),
  `${(other / ours).toFixed(1)}x`,
]
console.log(
  table([
    ['milliseconds', 'hostbrick', 'os-brick', 'ratio'],
    row('attach', attached.milliseconds, median(theirs.connect)),
    row('detach', detached.milliseconds, median(theirs.disconnect)),
  ]),
)
console.log('(Emulation makes starting a process dearer than it is on hardware, and os-brick starts many.)')

target.remove()
await iscsid.stop()
if (left.length > 0) process.exitCode = 1

async function showNvme(): Promise<void> {
  loadModules('nvme_fabrics', 'nvme_tcp')
  const subsystem = new NvmeSubsystem({ nqn: 'nqn.2026-11.lab:demo', namespaces: { 1: { megabytes: 64 } } })
  const ports = ['127.0.0.1', '127.0.0.2'].map(
    (address, index) => new NvmePort({ number: index + 1, address, subsystems: [subsystem] }),
  )
  await show({
    title: 'over NVMe/TCP, two portals',
    connector: new NVMeOFConnector({ useMultipath: true }),
    data: {
      target_nqn: subsystem.nqn,
      portals: ports.map(({ address, service }) => [address, service, 'tcp']),
      vol_uuid: subsystem.namespace(1).uuid,
      host_nqn: nvmeHost.nqn,
    },
    describe: ({ controller, portal: to, ana_state }) => `${controller ?? ''} to ${to}, ${ana_state ?? 'no ANA'}`,
    megabytes: 16,
    grow() {
      subsystem.namespace(1).grow(128)
    },
  })
  for (const port of ports) port.remove()
  subsystem.remove()
}

async function showFibreChannel(): Promise<void> {
  const fabric = await Fabric.start()
  fabric.map(300, { megabytes: 64 })
  await show({
    title: 'over Fibre Channel, from the first port of this host that sees the target',
    connector: new FibreChannelConnector(),
    data: { target_wwn: [fabric.target.portName], target_lun: 300 },
    describe: ({ path, hctl, initiator, portal: to }) => `${path} (${hctl ?? ''}) from ${initiator ?? ''} to ${to}`,
    megabytes: 1,
    grow() {
      fabric.grow(300, 128)
    },
  })
  fabric.remove()
}

interface Show {
  title: string
  connector: InitiatorConnector
  data: object
  describe: (path: PathInfo) => string
  /** How much is written. */
  megabytes: number
  /** To 128 MiB. */
  grow: () => void
}

async function show({ title, connector: shown, data, describe, megabytes, grow }: Show): Promise<void> {
  await settled()
  const before = snapshot()
  console.log(`\nA volume ${title}:\n${JSON.stringify(data)}\n`)
  const { value: found, milliseconds } = await timed(() => shown.connectVolume(data, { ready: 'all' }))
  console.log(`attached in ${milliseconds.toFixed(0)} ms: ${found.path}, ${found.identity.value}`)
  for (const path of found.paths) console.log(`  ${describe(path)}`)
  const content = randomBytes(megabytes * MEBIBYTE)
  write(found.path, content)
  const same = readDevice(found.path, content.length).equals(content)
  if (!same) process.exitCode = 1
  console.log(`written ${megabytes} MiB, read back: ${same ? 'the same' : 'DIFFERENT'}`)
  grow()
  const grown = await timed(() => shown.extendVolume(data, { expectedBytes: 128 * MEBIBYTE }))
  console.log(`extended to ${grown.value / MEBIBYTE} MiB in ${grown.milliseconds.toFixed(0)} ms`)
  const gone = await timed(() => shown.disconnectVolume(data, found))
  await settled()
  const rest = difference(before, snapshot())
  left.push(...rest)
  console.log(
    `detached in ${gone.milliseconds.toFixed(0)} ms, left behind: ${rest.length === 0 ? 'nothing' : rest.join(', ')}`,
  )
}

async function timed<T>(call: () => T | Promise<T>): Promise<{ value: T; milliseconds: number }> {
  const start = performance.now()
  const value = await call()
  return { value, milliseconds: performance.now() - start }
}

/** Past the cache, so that what is read comes from the device. */
function write(path: string, data: Buffer): void {
  writeDevice(path, data)
  execFileSync('blockdev', ['--flushbufs', path])
}
