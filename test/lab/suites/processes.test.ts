/** Two processes that attach and detach the same volume at the same time. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { InitiatorConnector } from 'hostbrick'
import type { DeviceInfo } from 'hostbrick'
import { AnotherProcess } from '../another-process.ts'
import type { Request } from '../another-process.ts'
import { loadModules } from '../command.ts'
import { startIscsid, startMultipathd, type Daemon } from '../daemons.ts'
import { removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'

const IQN = 'iqn.2026-11.lab:processes'
const NQN = 'nqn.2026-11.lab:processes'
const addresses = ['127.0.0.1', '127.0.0.2']

let processes: [AnotherProcess, AnotherProcess]
let iscsid: Daemon
let multipathd: Daemon
let target: IscsiTarget
let subsystem: NvmeSubsystem
let ports: NvmePort[]
let clean: Snapshot

const volumes: Record<string, { protocol: string; properties: Record<string, unknown> }> = {
  iSCSI: {
    protocol: 'ISCSI',
    properties: {
      target_portals: addresses.map((address) => `${address}:3260`),
      target_iqns: addresses.map(() => IQN),
      target_luns: addresses.map(() => 0),
    },
  },
  NVMe: {
    protocol: 'NVMEOF',
    properties: { target_nqn: NQN, portals: addresses.map((address) => [address, 4420, 'tcp']), ns_id: 1 },
  },
}

before(async () => {
  writeNvmeHost()
  loadModules('nvme_fabrics', 'nvme_tcp')
  iscsid = await startIscsid()
  multipathd = await startMultipathd()
  target = iscsiTarget({
    iqn: IQN,
    portals: addresses.map((address) => `${address}:3260`),
    luns: { 0: { megabytes: 16 } },
  })
  subsystem = new NvmeSubsystem({ nqn: NQN, namespaces: { 1: { megabytes: 16 } } })
  ports = addresses.map((address, index) => new NvmePort({ number: index + 1, address, subsystems: [subsystem] }))
  processes = [await AnotherProcess.start(), await AnotherProcess.start()]
  const [first] = processes
  for (const volume of Object.values(volumes)) {
    await first.ask({ call: 'connect', multipath: false, ...volume })
    await first.ask({ call: 'disconnect', multipath: false, ...volume })
  }
  await settled()
  clean = snapshot()
})
after(async () => {
  for (const each of processes) await each.stop()
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

for (const [name, volume] of Object.entries(volumes)) {
  for (const multipath of [false, true]) {
    const request = { multipath, ...volume }
    const rounds = multipath ? 2 : 4

    describe(`${name} over ${multipath ? 'two paths' : 'one path'}`, { timeout: 300_000 }, () => {
      it('is the same device for two processes that attach it at once', async () => {
        for (let round = 0; round < rounds; round++) {
          const infos = await Promise.all(processes.map((each) => connect(each, request)))
          assert.deepEqual(infos[0]?.identity, infos[1]?.identity)
          await Promise.all(processes.map((each) => each.ask({ ...request, call: 'disconnect' })))
          assert.deepEqual(await pathsOf(request), [])
        }
      })

      it('is attached or detached, and nothing between, when one attaches and the other detaches', async () => {
        const outcomes: string[] = []
        for (let round = 0; round < rounds; round++) {
          const earlier = await connect(processes[0], request)
          const [attaching, detaching] = round % 2 === 0 ? processes : [processes[1], processes[0]]
          const [later, detached] = await Promise.all([
            connect(attaching, request),
            detaching.ask({ ...request, call: 'disconnect' }),
          ])
          assert.equal(detached.error, undefined)
          const again = later.identity.diskseq !== earlier.identity.diskseq
          outcomes.push(again ? 'detached first' : 'attached first')
          // Who attached first has had the device that was there, and it is gone; who attached last has a new one.
          assert.equal((await pathsOf(request)).length > 0, again, outcomes.join(', '))
          if (again) assert.deepEqual((await connect(detaching, request)).identity, later.identity)
          await processes[0].ask({ ...request, call: 'disconnect' })
        }
      })
    })
  }
}

type Volume = Omit<Request, 'call'>

async function connect(process: AnotherProcess, request: Volume): Promise<DeviceInfo> {
  const answer = await process.ask({ ...request, call: 'connect' })
  assert.equal(answer.error, undefined)
  if (answer.info === undefined) assert.fail('no device info')
  return answer.info
}

async function pathsOf({ protocol, properties }: Volume): Promise<string[]> {
  return InitiatorConnector.factory(protocol).getVolumePaths(properties)
}
