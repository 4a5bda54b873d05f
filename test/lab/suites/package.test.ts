/** The package that test/package/run.sh has packed, installed on a Debian that has node, but no compiler. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { loadModules, run } from '../command.ts'
import { startIscsid, type Daemon } from '../daemons.ts'
import { removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'

const MEBIBYTE = 1024 * 1024
const IQN = 'iqn.2026-11.lab:package'
const NQN = 'nqn.2026-11.lab:package'
const agent = '/root/agent'
const packed = '/share/build/package'
const tarballs = existsSync(packed) ? readdirSync(packed).filter((file) => file.endsWith('.tgz')) : []

describe('the package', { skip: tarballs.length === 0 && 'npm run test:package packs it' }, () => {
  let iscsid: Daemon
  let target: IscsiTarget
  let subsystem: NvmeSubsystem
  let port: NvmePort
  let clean: Snapshot

  before(async () => {
    mkdirSync(agent, { recursive: true })
    writeFileSync(`${agent}/package.json`, '{ "type": "module" }')
    const files = tarballs.map((file) => `${packed}/${file}`)
    const npm = ['install', '--prefix', agent, '--offline', '--no-audit', '--no-fund', ...files]
    run('node', `${packed}/npm/bin/npm-cli.js`, ...npm)

    writeNvmeHost()
    loadModules('nvme_fabrics', 'nvme_tcp')
    iscsid = await startIscsid()
    target = iscsiTarget({ iqn: IQN, portals: ['127.0.0.1:3260'], luns: { 1: { megabytes: 32 } } })
    subsystem = new NvmeSubsystem({ nqn: NQN, namespaces: { 1: { megabytes: 16 } } })
    port = new NvmePort({ number: 1, address: '127.0.0.1', subsystems: [subsystem] })
    await settled()
    clean = snapshot()
  })
  after(async () => {
    port.remove()
    subsystem.remove()
    target.remove()
    await iscsid.stop()
    removeNvmeHost()
    rmSync(agent, { recursive: true })
  })
  afterEach(async () => {
    await assertNothingLeft(clean)
  })

  const command = `${agent}/node_modules/.bin/hostbrick`

  it('is installed where there is no compiler', () => {
    const compilers = ['cc', 'gcc', 'c++', 'g++', 'clang', 'make', 'cmake', 'ninja']
    const found = run('sh', '-c', `for name in ${compilers.join(' ')}; do command -v $name || true; done`)
    assert.equal(found, '')
  })

  it('tells by its command what works', () => {
    const report = JSON.parse(run(command, 'doctor', 'iscsi', 'nvmeTcp', '--json')) as Record<string, unknown>
    assert.deepEqual(report, { iscsi: { works: true, missing: [] }, nvmeTcp: { works: true, missing: [] } })
  })

  it('lists the devices by its command', () => {
    const { devices } = JSON.parse(run(command, 'ls', '--json')) as { devices: { name: string }[] }
    assert.deepEqual(devices.map(({ name }) => name).sort(), readdirSync('/sys/class/block').sort())
  })

  const volumes = {
    iscsi: () => ({ target_portal: '127.0.0.1:3260', target_iqn: IQN, target_lun: 1 }),
    nvmeof: () => ({ target_nqn: NQN, portals: [['127.0.0.1', 4420, 'tcp']], vol_uuid: subsystem.namespace(1).uuid }),
  }
  for (const [protocol, size] of [
    ['iscsi', 32 * MEBIBYTE],
    ['nvmeof', 16 * MEBIBYTE],
  ] as const) {
    it(`attaches and detaches a volume over ${protocol}`, () => {
      const said = execFileSync('node', ['--input-type=module', '--eval', attachAndDetach, protocol], {
        cwd: agent,
        input: JSON.stringify(volumes[protocol]()),
        encoding: 'utf8',
      })
      assert.deepEqual(JSON.parse(said), { size, attached: 1, detached: 0 })
    })

    it(`attaches and detaches one over ${protocol} by its command alone`, () => {
      const input = JSON.stringify({ driver_volume_type: protocol, data: volumes[protocol]() })
      const path = execFileSync(command, ['attach'], { input, encoding: 'utf8' }).trim()
      assert.equal(sizeOf(path), size)
      execFileSync(command, ['detach'], { input })
      assert.equal(existsSync(path), false)
    })
  }
})

/** Bytes, as the kernel has it. */
function sizeOf(path: string): number {
  return 512 * Number(readFileSync(`/sys/class/block/${basename(path)}/size`, 'utf8'))
}

/** A program of an agent's: which protocol is its argument, which volume its input. */
const attachAndDetach = `
  import { readFileSync } from 'node:fs'
  import { InitiatorConnector } from 'hostbrick'

  const connector = InitiatorConnector.factory(process.argv[1])
  const volume = JSON.parse(readFileSync(0, 'utf8'))
  const device = await connector.connectVolume(volume)
  const attached = await connector.getVolumePaths(volume)
  await connector.disconnectVolume(volume, device)
  const detached = await connector.getVolumePaths(volume)
  console.log(JSON.stringify({ size: device.size, attached: attached.length, detached: detached.length }))
`
