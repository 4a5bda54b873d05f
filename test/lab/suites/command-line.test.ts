/** Volumes attached, extended and detached through the command alone, as a program in any language would. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { after, afterEach, before, describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { DeviceInfo, DiscoveredSubsystem, ErrorCode, HostChange } from 'hostbrick'
import { loadModules, run } from '../command.ts'
import { startIscsid, type Daemon } from '../daemons.ts'
import { hostbrick, startHostbrick, type Ended } from '../executable.ts'
import { blackHole } from '../network.ts'
import { removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, requireDiscoveryChap, type IscsiTarget } from '../targets.ts'
import { until } from '../wait.ts'

const IQN = 'iqn.2026-11.lab:command-line'
const NQN = 'nqn.2026-11.lab:command-line'
const MEBIBYTE = 1024 * 1024
const addresses = ['127.0.0.1', '127.0.0.2'] as const
const portals = addresses.map((address) => `${address}:3260`)
const secret = 'secret-of-the-lab'
const deviceFile = '/run/device.json'
const limit = { timeout: 300_000 }

let iscsid: Daemon
let target: IscsiTarget
let subsystem: NvmeSubsystem
let ports: NvmePort[] = []
let clean: Snapshot

/** As Cinder hands them out. */
const iscsi = {
  driver_volume_type: 'iscsi',
  data: {
    ...{ target_portal: portals[0], target_iqn: IQN, target_lun: 0 },
    ...{ auth_method: 'CHAP', auth_username: 'lab', auth_password: secret },
  },
}
const nvme = {
  driver_volume_type: 'nvmeof',
  data: { target_nqn: NQN, portals: [[addresses[0], 4420, 'tcp']], ns_id: 1 },
}
const volumes = { iSCSI: iscsi, 'NVMe/TCP': nvme }

before(async () => {
  writeNvmeHost()
  loadModules('nvme_fabrics', 'nvme_tcp')
  iscsid = await startIscsid()
  target = iscsiTarget({
    iqn: IQN,
    portals,
    luns: { 0: { megabytes: 16 } },
    chap: { username: 'lab', password: secret },
  })
  subsystem = new NvmeSubsystem({ nqn: NQN, namespaces: { 1: { megabytes: 16 } } })
  ports = addresses.map((address, index) => new NvmePort({ number: index + 1, address, subsystems: [subsystem] }))
  // What the initiator's own tools make once and keep is no residue of an attach.
  done(hostbrick(['attach'], iscsi))
  done(hostbrick(['detach'], iscsi))
  await settled()
  clean = snapshot()
})
after(async () => {
  for (const port of ports) port.remove()
  subsystem.remove()
  target.remove()
  await iscsid.stop()
  removeNvmeHost()
  rmSync(deviceFile, { force: true })
})
afterEach(async () => {
  await assertNothingLeft(clean)
})

/** What it printed. No secret ever is. */
function done(ended: Ended): string {
  assert.equal(ended.status, 0, ended.stderr)
  assert.ok(!`${ended.stdout}${ended.stderr}`.includes(secret), 'a secret is shown')
  return ended.stdout.trim()
}

function failed(ended: Ended): { status: number | null; code: ErrorCode } {
  assert.ok(!`${ended.stdout}${ended.stderr}`.includes(secret), 'a secret is shown')
  const { error } = JSON.parse(ended.stdout) as { error: { code: ErrorCode } }
  return { status: ended.status, code: error.code }
}

// Starting a process costs seconds under emulation: each call here tests several things.
for (const [name, properties] of Object.entries(volumes)) {
  describe(`a volume over ${name}`, limit, () => {
    it('is attached, extended and detached', () => {
      const device = done(hostbrick(['attach'], properties))
      assert.ok(existsSync(device), device)
      assert.equal(done(hostbrick(['paths'], properties)), device)

      grow(name, 24)
      const size = 24 * MEBIBYTE
      assert.equal(done(hostbrick(['extend', '--expect', String(size)], properties)), String(size))
      const tooMuch = hostbrick(['extend', '--expect', String(size + 1), '--json'], properties)
      assert.deepEqual(failed(tooMuch), { status: 5, code: 'NOT_EXTENDED' })

      assert.equal(done(hostbrick(['detach'], properties)), '')
      assert.equal(existsSync(device), false, device)
      assert.equal(done(hostbrick(['detach'], properties)), '', 'it has gone already')
    })

    it('is left alone while it is mounted, and detached by what the attach has printed', () => {
      const printed = done(hostbrick(['attach', '--json'], properties))
      const device_info = JSON.parse(printed) as DeviceInfo
      run('mkfs.ext4', '-q', device_info.path)
      run('mount', device_info.path, '/mnt')
      try {
        assert.deepEqual(failed(hostbrick(['detach', '--json'], properties)), { status: 8, code: 'DEVICE_IN_USE' })
      } finally {
        run('umount', '/mnt')
      }
      writeFileSync(deviceFile, printed)
      const given = name === 'iSCSI' ? ['--device', deviceFile] : []
      const ended = hostbrick(['detach', '--json', ...given], {
        ...properties,
        ...(given.length === 0 && { device_info }),
      })
      assert.deepEqual(JSON.parse(done(ended)), { detached: true })
    })
  })
}

describe('several paths', limit, () => {
  it('of which one is out of reach are a warning', () => {
    const properties = { ...nvme, data: { ...nvme.data, portals: addresses.map((each) => [each, 4420, 'tcp']) } }
    const hole = blackHole(addresses[1], 4420)
    try {
      const ended = hostbrick(['attach', '--multipath', '--timeout', '10'], properties)
      assert.match(done(ended), /^\/dev\/nvme\d+n1$/)
      assert.match(ended.stderr, /^degraded: 1 of 2 paths\n {2}127\.0\.0\.2:4420: .* \(TIMEOUT\)\n$/)
    } finally {
      hole.lift()
      done(hostbrick(['detach'], properties))
    }
  })
})

describe('a failure', limit, () => {
  const at = (changes: object): object => ({ ...iscsi, data: { ...iscsi.data, ...changes } })
  const failures: [string, object, number, ErrorCode][] = [
    ['a portal where nobody listens', at({ target_portal: '127.0.0.1:3261' }), 5, 'PORTAL_UNREACHABLE'],
    ['a wrong password', at({ auth_password: `${secret}-not` }), 6, 'AUTH_FAILED'],
    ['another volume than expected', at({ wwn: '36001405000000000000000000000dead' }), 7, 'IDENTITY_MISMATCH'],
  ]
  for (const [what, properties, status, code] of failures) {
    it(`of the class of ${what} has its exit status`, () => {
      assert.deepEqual(failed(hostbrick(['attach', '--json', '--timeout', '20'], properties)), { status, code })
    })
  }

  it('by an interrupt undoes what was done', async () => {
    const hole = blackHole(addresses[0], 3260)
    try {
      const child = startHostbrick(['attach', '--json'], iscsi)
      const chunks = child.stdout?.toArray() ?? assert.fail('no output')
      // It has its handlers when it has begun to look for the portal.
      await begun(child.pid ?? 0)
      child.kill('SIGTERM')
      const [status] = (await once(child, 'exit')) as [number | null]
      const stdout = (await chunks).join('')
      assert.deepEqual(failed({ status, stdout, stderr: '' }), { status: 143, code: 'ABORTED' })
    } finally {
      hole.lift()
    }
  })
})

describe('discovery', limit, () => {
  it('lists targets, whose portal may ask for credentials', () => {
    const credentials = { username: 'asker', password: secret }
    const required = requireDiscoveryChap(credentials)
    try {
      const listed = done(hostbrick(['discover', 'iscsi', '127.0.0.1', '--chap'], credentials))
      assert.match(listed, new RegExp(`^127\\.0\\.0\\.1:3260 +1 +${IQN}$`, 'm'))
      assert.deepEqual(failed(hostbrick(['discover', 'iscsi', '127.0.0.1', '--json'])), {
        status: 6,
        code: 'AUTH_FAILED',
      })
    } finally {
      required.lift()
    }
  })

  it('lists subsystems', () => {
    assert.match(
      done(hostbrick(['discover', 'nvme', '127.0.0.1:4420'])),
      new RegExp(`^tcp +127\\.0\\.0\\.1:4420 +nvm +${NQN}$`, 'm'),
    )
    const { subsystems } = JSON.parse(
      done(hostbrick(['discover', 'nvme', '127.0.0.1', '--transport', 'tcp', '--port', '4420', '--json'])),
    ) as { subsystems: DiscoveredSubsystem[] }
    assert.ok(
      subsystems.some(({ nqn }) => nqn === NQN),
      'the subsystem',
    )
  })
})

describe('a watch', limit, () => {
  it('tells what happens until it is interrupted', async () => {
    const child = startHostbrick(['watch', '--json'])
    const lines = createInterface({ input: child.stdout ?? assert.fail('no output') })[Symbol.asyncIterator]()
    const isThere = (): boolean => existsSync('/dev/mapper/lab-watched')
    const toggle = (): void => {
      run('dmsetup', ...(isThere() ? ['remove', 'lab-watched'] : ['create', 'lab-watched', '--table', '0 8 zero']))
    }
    // It does not say when it has begun: something happens until it tells of something.
    const first = lines.next()
    const heard = first.then(() => true)
    do toggle()
    while (!(await Promise.race([heard, setImmediate(false)])))
    const told: string[] = []
    for (let line = await first; !line.done; line = await lines.next()) {
      const change = JSON.parse(line.value) as HostChange
      told.push(`${change.kind} ${change.change}`)
      if (change.change === 'added' && isThere()) toggle()
      if (change.change === 'removed') child.kill('SIGINT')
    }
    if (isThere()) toggle()
    assert.ok(told.includes('device removed'), told.join(', '))
    if (child.exitCode === null) await once(child, 'exit')
    assert.equal(child.exitCode, 0)
  })
})

describe('doctor', limit, () => {
  it('says that what is needed here works', () => {
    assert.match(done(hostbrick(['doctor', 'iscsi', 'nvmeTcp', 'watch'])), /^nvmeTcp +works$/m)
  })

  it('says what is missing, and what to do', async () => {
    await iscsid.stop()
    const { status, stdout } = hostbrick(['doctor', 'iscsi'])
    assert.equal(status, 3)
    assert.match(stdout, /^iscsi +no +socket @ISCSIADM_ABSTRACT_NAMESPACE$/m)
    assert.match(stdout, /^ {2}systemctl enable --now iscsid/m)
    iscsid = await startIscsid()
  })
})

function grow(name: string, megabytes: number): void {
  if (name === 'iSCSI') target.grow(0, megabytes)
  else subsystem.namespace(1).grow(megabytes)
}

/** Until the process waits for an answer of the portal's. */
async function begun(pid: number): Promise<void> {
  await until('the portal is asked', () => run('ss', '-tnpH', 'state', 'syn-sent').includes(`pid=${pid},`), 60_000)
}
