/**
 * Many volumes of one target: hostbrick all at once, os-brick one after the other, which is how its lock makes it work:
 * many.js [COUNT]
 */
import { ISCSIConnector } from 'hostbrick'
import { run } from '../command.ts'
import { startIscsid, startMultipathd } from '../daemons.ts'
import { OsBrick } from '../os-brick.ts'
import { settled } from '../residue.ts'
import { table } from '../statistics.ts'
import { iscsiTarget } from '../targets.ts'

const count = Number(process.argv[2] ?? 50)
const iqn = 'iqn.2026-11.lab:many'
const portals = ['127.0.0.1:3260', '127.0.0.2:3260']
const luns = Array.from({ length: count }, (_, lun) => lun)
/** Emulation makes udev's and the kernel's work for a hundred disks take long. */
const timeout = 600_000

const iscsid = await startIscsid()
const target = iscsiTarget({
  iqn,
  portals,
  luns: Object.fromEntries(luns.map((lun) => [lun, { megabytes: 8 }])),
})
const osBrick = OsBrick.start()
const rows = [[`${count} volumes (s)`, 'hostbrick', 'os-brick', 'ratio']]
await compare('one path', new ISCSIConnector(), 1)
const multipathd = await startMultipathd()
await compare('two paths', new ISCSIConnector({ useMultipath: true }), 2)
await multipathd.stop()
await osBrick.stop()
target.remove()
await iscsid.stop()
console.log(table(rows))

async function compare(title: string, connector: ISCSIConnector, paths: number): Promise<void> {
  const volumes = luns.map((lun) => propertiesOf(lun, paths))
  const ours: number[] = []
  const start = performance.now()
  const infos = await Promise.all(volumes.map((volume) => connector.connectVolume(volume, { timeout })))
  ours.push(performance.now() - start)
  await settled()
  console.log(`${title}: udev's rules for the devices that are there now take ${(await rulesAlone()).toFixed(1)} s`)
  const detach = performance.now()
  await Promise.all(volumes.map((volume, lun) => connector.disconnectVolume(volume, infos[lun], { timeout })))
  ours.push(performance.now() - detach)
  await settled()

  const options = { multipath: paths > 1 }
  const attached = []
  for (const volume of volumes) attached.push(await osBrick.connect('ISCSI', volume, options))
  await settled()
  const detached = []
  for (const [lun, volume] of volumes.entries()) {
    detached.push(await osBrick.disconnect('ISCSI', volume, attached[lun]?.info ?? {}, options))
  }
  await settled()
  const theirs = [attached, detached].map((calls) => calls.reduce((sum, { milliseconds }) => sum + milliseconds, 0))
  for (const [index, call] of ['attach', 'detach'].entries()) {
    const [our = 0, their = 0] = [ours[index], theirs[index]]
    rows.push([`${call}, ${title}`, (our / 1000).toFixed(1), (their / 1000).toFixed(1), `${(their / our).toFixed(1)}x`])
  }
}

/** Seconds that udev needs for one event of every block device: no attach that waits for its devices' rules is faster. */
async function rulesAlone(): Promise<number> {
  const start = performance.now()
  run('udevadm', 'trigger', '--action=add', '--subsystem-match=block')
  await settled()
  return (performance.now() - start) / 1000
}

function propertiesOf(lun: number, paths: number): Record<string, unknown> {
  const some = portals.slice(0, paths)
  return { target_portals: some, target_iqns: some.map(() => iqn), target_luns: some.map(() => lun) }
}
