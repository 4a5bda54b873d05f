/** Many volumes of one target, all at once. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { ISCSIConnector } from 'hostbrick'
import { startIscsid, startMultipathd, type Daemon } from '../daemons.ts'
import { readDevice, writeDevice } from '../device.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'

const IQN = 'iqn.2026-11.lab:many'
const PORTALS = ['127.0.0.1:3260', '127.0.0.2:3260']
const COUNT = 50
const luns = Array.from({ length: COUNT }, (_, lun) => lun)
/** Emulation makes udev's and the kernel's work for a hundred disks take long. */
const timeout = 300_000

let iscsid: Daemon
let target: IscsiTarget
let clean: Snapshot

before(async () => {
  iscsid = await startIscsid()
  target = iscsiTarget({
    iqn: IQN,
    portals: PORTALS,
    luns: Object.fromEntries(luns.map((lun) => [lun, { megabytes: 8 }])),
  })
  const connector = new ISCSIConnector()
  await connector.disconnectVolume(volumeOf(0, 1), await connector.connectVolume(volumeOf(0, 1)))
  await settled()
  clean = snapshot()
})
after(async () => {
  target.remove()
  await iscsid.stop()
})

it(`${COUNT} volumes over one path`, async () => {
  await attachAndDetach(new ISCSIConnector(), 1)
})

it(`${COUNT} volumes over two paths`, async () => {
  const multipathd = await startMultipathd()
  await attachAndDetach(new ISCSIConnector({ useMultipath: true, enforceMultipath: true }), 2)
  await multipathd.stop()
})

/** Attaches all at once, detaches every other one at once, and the rest, which must not have noticed. */
async function attachAndDetach(connector: ISCSIConnector, portals: number): Promise<void> {
  const start = performance.now()
  const infos = await Promise.all(
    luns.map((lun) => connector.connectVolume(volumeOf(lun, portals), { timeout, ready: 'all' })),
  )
  const attached = performance.now()
  assert.equal(new Set(infos.map(({ scsi_wwn }) => scsi_wwn)).size, COUNT)
  for (const { path, identity } of infos) writeDevice(path, Buffer.from(identity.value.padEnd(512)))

  const detach = (lun: number): Promise<void> =>
    connector.disconnectVolume(volumeOf(lun, portals), infos[lun], { timeout })
  const some = performance.now()
  await Promise.all(luns.filter((lun) => lun % 2 === 0).map(detach))
  for (const [lun, { path, scsi_wwn }] of infos.entries()) {
    if (lun % 2 === 1) assert.equal(readDevice(path, 512).toString().trim(), scsi_wwn)
  }
  await Promise.all(luns.filter((lun) => lun % 2 === 1).map(detach))
  const milliseconds = [attached - start, performance.now() - some].map((duration) => duration.toFixed(0))
  console.log(`${COUNT} volumes over ${portals} paths: attached in ${milliseconds.join(' ms, detached in ')} ms`)
  await assertNothingLeft(clean)
}

function volumeOf(lun: number, portals: number): Record<string, unknown> {
  const some = PORTALS.slice(0, portals)
  return { target_portals: some, target_iqns: some.map(() => IQN), target_luns: some.map(() => lun) }
}
