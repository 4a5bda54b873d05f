/**
 * hostbrick beside os-brick, in one boot, in turn: bench.js [ROUNDS]; NVMe and Fibre Channel have programs of their own.
 *
 * Ends with a status other than 0 when a goal is missed. Emulation makes the start of a
 * process several times dearer, relative to the rest, than it is on hardware, and os-brick starts many: on hardware
 * the ratios are smaller.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getConnectorProperties, inventory, ISCSIConnector } from 'hostbrick'
import { loadModules, run } from '../command.ts'
import { compareInTurn } from '../comparison.ts'
import type { Comparison } from '../comparison.ts'
import { startIscsid, startMultipathd } from '../daemons.ts'
import { blackHole } from '../network.ts'
import { writeNvmeHost } from '../nvme-host.ts'
import { OsBrick } from '../os-brick.ts'
import { Report } from '../report.ts'
import { median, percentile } from '../statistics.ts'
import { iscsiTarget } from '../targets.ts'
import { UeventClock } from '../uevent-clock.ts'

const rounds = Number(process.argv[2] ?? 9)
const iqn = 'iqn.2026-11.lab:bench'
const portal = '127.0.0.1:3260'
const portals = [portal, '127.0.0.2:3260']
const volume = { target_portal: portal, target_iqn: iqn, target_lun: 0 }
const node = ['--mode=node', `--targetname=${iqn}`, `--portal=${portal}`]
const overTwo = { target_portals: portals, target_iqns: [iqn, iqn], target_luns: [0, 0] }

const iscsid = await startIscsid()
const target = iscsiTarget({ iqn, portals, luns: { 0: { megabytes: 64 } } })
const connector = new ISCSIConnector()
const osBrick = OsBrick.start()
const report = new Report('iscsi', 'Attach and detach over iSCSI')
const compareWithOsBrick = (comparison: Comparison): Promise<void> =>
  compareInTurn(report, { connector, osBrick, rounds }, comparison)

await compareWithOsBrick({
  title: 'iSCSI, one path',
  connect: () => connector.connectVolume(volume),
  properties: volume,
  multipath: false,
  goals: { connect: 10, disconnect: 8 },
  byHand: {
    connect() {
      run('iscsiadm', ...node, '--op=new')
      run('iscsiadm', ...node, '--login')
      run('udevadm', 'wait', '--timeout=60', `/dev/disk/by-path/ip-${portal}-iscsi-${iqn}-lun-0`)
    },
    disconnect() {
      run('iscsiadm', ...node, '--logout')
      run('iscsiadm', ...node, '--op=delete')
    },
  },
})
await measureLatency()
await watchEventLoop()
await measureForeignRecords()
const multipathd = await startMultipathd()
const multipath = new ISCSIConnector({ useMultipath: true })
await compareWithOsBrick({
  title: 'iSCSI, multipath over two portals',
  connect: () => multipath.connectVolume(overTwo),
  properties: overTwo,
  multipath: true,
  goals: { connect: 4, disconnect: 5 },
})
await compareWithOsBrick({
  title:
    "iSCSI, multipath, with hostbrick waiting for all paths to be in the map (ready: 'all'), which os-brick does not",
  connect: () => multipath.connectVolume(overTwo, { ready: 'all' }),
  properties: overTwo,
  multipath: true,
  goals: { connect: 0, disconnect: 0 },
})

await compareProperties()

await osBrick.stop()
await multipathd.stop()
target.remove()
await iscsid.stop()
process.exitCode = report.finish()

/** Of a host that has its NVMe names, as hosts have: a file that is missing the lab's guest looks for outside of itself. */
async function compareProperties(): Promise<void> {
  writeNvmeHost()
  loadModules('nvme_fabrics')
  const ip = '192.0.2.7'
  const ours: number[] = []
  const theirs: number[] = []
  for (let call = 0; call < 20; call++) await getConnectorProperties({ ip })
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now()
    await getConnectorProperties({ ip })
    const milliseconds = performance.now() - start
    const theirTime = await osBrick.describe(ip)
    if (round === 0) continue
    ours.push(milliseconds)
    theirs.push(theirTime.milliseconds)
  }
  const [own, other] = [median(ours), median(theirs)]
  report.line(`Connector properties: ${own.toFixed(2)} ms, os-brick's ${other.toFixed(0)} ms.`)
  report.goal('connector properties, times as fast as os-brick', other / own, '>=', 50)
}

/** From the moment that the kernel announces the disk to that when the caller has it, in an agent that has nothing else to do. */
async function measureLatency(): Promise<void> {
  const clock = await UeventClock.start()
  const latency: number[] = []
  for (let round = 0; round <= 4 * rounds; round++) {
    const info = await connector.connectVolume(volume)
    const resolved = process.hrtime.bigint()
    const announced = await clock.next()
    if (round > 0) latency.push(Number(resolved - announced) / 1e6)
    await connector.disconnectVolume(volume, info)
  }
  await clock.stop()
  const p50 = median(latency)
  report.line(
    `From the kernel's event of the disk to the resolved promise: p50 ${p50.toFixed(1)} ms, p99 ${percentile(latency, 0.99).toFixed(1)} ms.`,
  )
  report.goal('event to promise, p50 (ms)', p50, '<=', 10)
}

/**
 * Whether records of other targets make an attach slower: open-iscsi's own tools read them all. In turn, with and without;
 * then as many files are made elsewhere, since to make them leaves the guest something to do.
 */
async function measureForeignRecords(): Promise<void> {
  const homes = { without: '/var/lib/elsewhere', with: '/var/lib/iscsi/nodes' }
  const foldersIn = (home: string): string[] =>
    Array.from({ length: 300 }, (_, number) => `${home}/iqn.2026-11.lab:foreign-${number}`)
  const times = { without: [] as number[], with: [] as number[] }
  for (let round = 0; round <= 4 * rounds; round++) {
    const kinds = ['without', 'with'] as const
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      const folders = foldersIn(homes[kind])
      for (const folder of folders) {
        mkdirSync(folder, { recursive: true })
        writeFileSync(`${folder}/10.0.0.1,3260`, `node.name = ${folder}\n`)
      }
      const start = performance.now()
      const info = await connector.connectVolume(volume)
      if (round > 0) times[kind].push(performance.now() - start)
      await connector.disconnectVolume(volume, info)
      for (const folder of folders) rmSync(folder, { recursive: true, force: true })
    }
  }
  const [without, among] = [median(times.without), median(times.with)]
  report.line(`Attach without foreign node records ${without.toFixed(0)} ms, with 300 of them ${among.toFixed(0)} ms.`)
  report.goal('an attach among 300 foreign node records, of one without them', among / without, '<=', 1.1)
}

/** How long the event loop stands still while 100 inventories are taken and an attach waits for a portal that is gone. */
async function watchEventLoop(): Promise<void> {
  const resolution = 1
  const stalls: number[] = []
  // Three times: a guest's clock also stands still when its host is busy with something else.
  for (let window = 0; window < 3; window++) {
    const hole = blackHole('127.0.0.1', 3260)
    await inventory()
    const delay = monitorEventLoopDelay({ resolution })
    delay.enable()
    const attach = connector.connectVolume(volume, { timeout: 3000 }).catch(() => undefined)
    for (let batch = 0; batch < 10; batch++) await Promise.all(Array.from({ length: 100 }, () => inventory()))
    await attach
    delay.disable()
    hole.lift()
    stalls.push(delay.max / 1e6 - resolution)
  }
  const shown = stalls.map((stall) => stall.toFixed(1)).join(', ')
  report.line(`Event loop with 100 inventories at once and an attach into a black hole: longest stalls ${shown} ms.`)
  report.goal('longest stall of the event loop (ms)', median(stalls), '<=', 10)
}
