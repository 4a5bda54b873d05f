/**
 * Many volumes: hostbrick attaches them all at once, os-brick one after the other, which is how its lock makes it work:
 * bench-many.js [COUNT,…]
 *
 * Ends with a status other than 0 when a goal is missed.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { ISCSIConnector } from 'hostbrick'
import type { DeviceInfo } from 'hostbrick'
import { run } from '../command.ts'
import { startIscsid, startMultipathd } from '../daemons.ts'
import { OsBrick } from '../os-brick.ts'
import { Report } from '../report.ts'
import { settled } from '../residue.ts'
import { iscsiTarget } from '../targets.ts'

const counts = (process.argv[2] ?? '1,10,50,100').split(',').map(Number)
const portals = ['127.0.0.1:3260', '127.0.0.2:3260']
const iqns = [1, 2, 3, 4].map((number) => `iqn.2026-11.lab:many-${number}`)
/** Emulation makes udev's and the kernel's work for a hundred disks take long. */
const timeout = 600_000
/** Of the event loop's own clock, milliseconds. */
const resolution = 1

interface Plan {
  readonly title: string
  readonly connector: ISCSIConnector
  readonly paths: number
  readonly targets: number
}

/** Seconds of one attach or detach of all volumes. */
interface Times {
  readonly attach: number
  readonly detach: number
}

const iscsid = await startIscsid()
const lunsOfEach = Math.max(50, ...counts.map((count) => Math.ceil(count / iqns.length)))
const targets = iqns.map((iqn) => {
  const luns = Object.fromEntries(Array.from({ length: lunsOfEach }, (_, lun) => [lun, { megabytes: 8 }]))
  return iscsiTarget({ iqn, portals, luns })
})
const osBrick = OsBrick.start()
const report = new Report('many', 'Many volumes at once')
const heading = ['', 'attach: hostbrick', 'os-brick', 'detach: hostbrick', 'os-brick', 'event loop p99 (ms)']

const rows = [heading]
for (const count of counts) {
  const plan = { title: `${count} volumes`, connector: new ISCSIConnector(), paths: 1, targets: iqns.length }
  rows.push(await compare(plan, count, count >= 100 ? 10 : undefined))
}
report.table('Volumes of four targets, over one path each (s)', rows)

const fifty = [heading]
fifty.push(await compare({ title: 'one path', connector: new ISCSIConnector(), paths: 1, targets: 1 }, 50, 8))
const multipathd = await startMultipathd()
const multipath = new ISCSIConnector({ useMultipath: true })
fifty.push(await compare({ title: 'two paths', connector: multipath, paths: 2, targets: 1 }, 50, 8))
await multipathd.stop()
report.table('50 volumes of one target (s)', fifty)

await osBrick.stop()
for (const target of targets) target.remove()
await iscsid.stop()
process.exitCode = report.finish()

async function compare(plan: Plan, count: number, goal: number | undefined): Promise<string[]> {
  const { title, paths, connector } = plan
  const volumes = Array.from({ length: count }, (_, number) => propertiesOf(number, plan))
  const delay = monitorEventLoopDelay({ resolution })
  delay.enable()
  const ours = await attachAtOnce(title, connector, volumes)
  delay.disable()
  const theirs = await attachInTurn(volumes, paths > 1)
  for (const call of ['attach', 'detach'] as const) {
    const ratio = theirs[call] / ours[call]
    if (goal !== undefined) report.goal(`${title}: ${call}, times as fast as os-brick`, ratio, '>=', goal)
  }
  const p99 = Math.max(0, delay.percentile(99) / 1e6 - resolution)
  const cells = (call: keyof Times): string[] => [
    ours[call].toFixed(2),
    `${theirs[call].toFixed(1)} (${(theirs[call] / ours[call]).toFixed(1)}x)`,
  ]
  return [title, ...cells('attach'), ...cells('detach'), p99.toFixed(1)]
}

async function attachAtOnce(title: string, connector: ISCSIConnector, volumes: readonly object[]): Promise<Times> {
  const start = performance.now()
  const infos = await Promise.all(volumes.map((volume) => connector.connectVolume(volume, { timeout })))
  const attach = performance.now() - start
  await settled()
  report.line(`${title}: udev's rules for the devices that are there now take ${(await rulesAlone()).toFixed(1)} s.`)
  const detach = performance.now()
  await Promise.all(volumes.map((volume, index) => connector.disconnectVolume(volume, infos[index], { timeout })))
  const times = { attach: attach / 1000, detach: (performance.now() - detach) / 1000 }
  await settled()
  return times
}

async function attachInTurn(volumes: readonly Record<string, unknown>[], multipath: boolean): Promise<Times> {
  const attached: { info: Partial<DeviceInfo>; milliseconds: number }[] = []
  for (const volume of volumes) attached.push(await osBrick.connect('ISCSI', volume, { multipath }))
  await settled()
  const detached = []
  for (const [index, volume] of volumes.entries()) {
    detached.push(await osBrick.disconnect('ISCSI', volume, attached[index]?.info ?? {}, { multipath }))
  }
  await settled()
  const seconds = (calls: readonly { milliseconds: number }[]): number =>
    calls.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000
  return { attach: seconds(attached), detach: seconds(detached) }
}

/** Seconds that udev's rules for the disks and maps take when nobody waits for them and the kernel has nothing else to do. */
async function rulesAlone(): Promise<number> {
  const start = performance.now()
  run('udevadm', 'trigger', '--action=add', '--subsystem-match=block', '--sysname-match=sd*', '--sysname-match=dm-*')
  await settled()
  return (performance.now() - start) / 1000
}

function propertiesOf(number: number, { paths, targets: among }: Plan): Record<string, unknown> {
  const iqn = iqns[number % among]
  const lun = Math.floor(number / among)
  const places = portals.slice(0, paths)
  return {
    target_portals: places,
    target_iqns: places.map(() => iqn),
    target_luns: places.map(() => lun),
  }
}
