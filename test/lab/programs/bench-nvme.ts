/**
 * NVMe/TCP: hostbrick beside os-brick and the bare kernel, in one boot, in turn: bench-nvme.js [ROUNDS]
 *
 * Ends with a status other than 0 when a goal is missed. As in bench.ts, os-brick looks slower than it is on hardware.
 */
import { join } from 'node:path'
import { NVMeOFConnector } from 'hostbrick'
import { loadModules, run } from '../command.ts'
import { compareInTurn } from '../comparison.ts'
import { blackHole } from '../network.ts'
import { nvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { OsBrick } from '../os-brick.ts'
import { Report } from '../report.ts'
import { settled } from '../residue.ts'
import { median } from '../statistics.ts'

const rounds = Number(process.argv[2] ?? 9)
const nqn = 'nqn.2026-11.lab:bench'
const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4']
const floor = join(import.meta.dirname, '..', 'nvme-floor')

writeNvmeHost()
loadModules('nvme_fabrics', 'nvme_tcp')
const subsystem = new NvmeSubsystem({ nqn, namespaces: { 1: { megabytes: 64 } } })
const ports = addresses.map((address, index) => new NvmePort({ number: index + 1, address, subsystems: [subsystem] }))
const osBrick = OsBrick.start()
const report = new Report('nvme', 'Attach and detach over NVMe/TCP')

await compareOverOnePortal()
await measureDeadPortal()
await measureAllPortals()

await osBrick.stop()
for (const port of ports) port.remove()
subsystem.remove()
process.exitCode = report.finish()

async function compareOverOnePortal(): Promise<void> {
  const connector = new NVMeOFConnector()
  const properties = over(addresses.slice(0, 1))
  const options = `nqn=${nqn},transport=tcp,traddr=127.0.0.1,trsvcid=4420,hostnqn=${nvmeHost.nqn},hostid=${nvmeHost.id},ctrl_loss_tmo=-1`
  await compareInTurn(
    report,
    { connector, osBrick, rounds },
    {
      title: 'NVMe/TCP, one portal',
      protocol: 'NVMEOF',
      connect: () => connector.connectVolume(properties),
      properties,
      multipath: false,
      goals: { connect: 1.6, disconnect: 3 },
      byHand: {
        connect() {
          run('nvme', 'connect', '--transport=tcp', '--traddr=127.0.0.1', '--trsvcid=4420', `--nqn=${nqn}`)
          run('udevadm', 'wait', '--timeout=60', `/dev/disk/by-id/nvme-uuid.${subsystem.namespace(1).uuid}`)
        },
        disconnect: () => run('nvme', 'disconnect', `--nqn=${nqn}`),
      },
      floor: {
        async measure() {
          const [connect = '', instance = ''] = run(floor, 'connect', options).trim().split(' ')
          await settled()
          const disconnect = run(floor, 'disconnect', `nvme${instance}`)
          await settled()
          return { connect: Number(connect), disconnect: Number(disconnect) }
        },
        limits: { connect: 1.15, disconnect: 1.2 },
      },
    },
  )
}

/** What a portal that swallows everything costs an attach over four. */
async function measureDeadPortal(): Promise<void> {
  const connector = new NVMeOFConnector({ useMultipath: true })
  const [dead = '', ...alive] = addresses
  const times = { alive: [] as number[], dead: [] as number[] }
  const hole = blackHole(dead, 4420)
  for (let round = 0; round <= rounds; round++) {
    for (const kind of ['alive', 'dead'] as const) {
      const properties = over(kind === 'alive' ? alive : addresses)
      const start = performance.now()
      const info = await connector.connectVolume(properties)
      if (round > 0) times[kind].push(performance.now() - start)
      if (!info.degraded) throw new Error('an attach that waits for no other path is degraded')
      await connector.disconnectVolume(properties, info)
      await settled()
    }
  }
  hole.lift()
  const [without, withOne] = [median(times.alive), median(times.dead)]
  report.line(`Over three portals ${without.toFixed(0)} ms, with a dead one besides ${withOne.toFixed(0)} ms.`)
  report.goal('an attach with a dead portal among four, of one without it', withOne / without, '<=', 1.2)
}

/** What it takes until all of four portals are there. */
async function measureAllPortals(): Promise<void> {
  const connector = new NVMeOFConnector({ useMultipath: true })
  const properties = over(addresses)
  const times: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now()
    const info = await connector.connectVolume(properties, { ready: 'all' })
    if (round > 0) times.push(performance.now() - start)
    await connector.disconnectVolume(properties, info)
    await settled()
  }
  report.line(
    `Over four portals, all of them: ${median(times).toFixed(0)} ms, at most ${Math.max(...times).toFixed(0)} ms.`,
  )
}

function over(portals: readonly string[]): Record<string, unknown> {
  return {
    target_nqn: nqn,
    portals: portals.map((address) => [address, '4420', 'tcp']),
    vol_uuid: subsystem.namespace(1).uuid,
  }
}
