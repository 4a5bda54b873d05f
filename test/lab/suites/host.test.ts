/** What a host is to storage backends, beside os-brick's answer, and what works on it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { capabilities, getConnectorProperties } from 'hostbrick'
import type { Capabilities, ConnectorProperties } from 'hostbrick'
import { loadModules, run } from '../command.ts'
import { INITIATOR_NAME, startIscsid, startMultipathd, type Daemon } from '../daemons.ts'
import { nvmeHost, removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { OsBrick } from '../os-brick.ts'
import { settled } from '../residue.ts'

const ip = '192.0.2.7'
const ask = fileURLToPath(new URL('../ask.js', import.meta.url))

let osBrick: OsBrick
let iscsid: Daemon
let multipathd: Daemon

before(async () => {
  osBrick = OsBrick.start()
  run('ip', 'link', 'add', 'lab0', 'type', 'dummy')
  run('ip', 'address', 'add', '192.0.2.7/24', 'dev', 'lab0')
  run('ip', 'address', 'add', '2001:db8::7/64', 'dev', 'lab0')
  run('ip', 'link', 'set', 'lab0', 'up')
  loadModules('nvme_fabrics')
  writeNvmeHost()
  iscsid = await startIscsid()
  multipathd = await startMultipathd()
})
after(async () => {
  await osBrick.stop()
  await multipathd.stop()
  await iscsid.stop()
  removeNvmeHost()
  run('ip', 'link', 'delete', 'lab0')
})

describe('connector properties', () => {
  it("are os-brick's, key by key", { timeout: 120_000 }, async () => {
    const [ours, { info }] = await Promise.all([
      getConnectorProperties({ ip, multipath: true }),
      osBrick.describe(ip, { multipath: true }),
    ])
    assert.deepEqual(ordered(ours), ordered(info as unknown as ConnectorProperties))
    assert.equal(ours.initiator, INITIATOR_NAME)
    assert.match(ours['system uuid'] ?? '', /^[\da-f-]{36}$/)
    assert.deepEqual([ours.nqn, ours.nvme_hostid, ours.nvme_native_multipath], [nvmeHost.nqn, nvmeHost.id, true])
    assert.ok(ours.host_ips.includes('2001:db8::7'), 'the IPv6 address')
  })

  it('make nothing', async () => {
    removeNvmeHost()
    const { nqn, nvme_hostid } = await getConnectorProperties({ ip })
    assert.deepEqual([nqn, nvme_hostid, existsSync('/etc/nvme/hostnqn')], [undefined, undefined, false])
    writeNvmeHost()
  })

  it("have the root's UUID, where the root is on a device", async () => {
    const root = new Root()
    try {
      const { uuid } = root.ask('properties') as ConnectorProperties
      // These are the commands that os-brick calls.
      const theirs = root.run('sh', '-c', 'blkid "$(findmnt -v / -n -o SOURCE)" -s UUID -o value')
      assert.match(theirs, /^[\da-f-]{36}\n$/)
      assert.equal(uuid, theirs.trim())
    } finally {
      await root.remove()
    }
  })
})

describe('capabilities', () => {
  it('are all there on a host that has everything', async () => {
    loadModules('nvme_tcp', 'dm_multipath')
    const found = await capabilities()
    for (const name of ['iscsi', 'nvmeTcp', 'local', 'multipath', 'nvmeMultipath', 'watch'] as const) {
      assert.deepEqual(found[name], { works: true, missing: [] }, name)
    }
    for (const daemon of ['iscsid', 'multipathd', 'udevd'] as const) assert.equal(found[daemon].works, true, daemon)
  })

  it('say which hardware and programs are missing', async () => {
    const found = await capabilities()
    assert.deepEqual(lacks(found, 'fibreChannel'), ['device Fibre Channel port'])
    assert.deepEqual(lacks(found, 'iser'), ['device RDMA'])
    assert.deepEqual(lacks(found, 'huaweiStorHyper'), ['program /usr/local/bin/sds/sds_cli'])
  })

  it('count modules that will be loaded when they are needed, but not nvme_fabrics, which nobody loads', async () => {
    run('modprobe', '--remove', 'nvme_tcp', 'nvme_fabrics')
    const without = await capabilities()
    assert.deepEqual(lacks(without, 'nvmeTcp'), ['module nvme_fabrics'])
    loadModules('nvme_fabrics')
    assert.equal(existsSync('/sys/module/nvme_tcp'), false)
    assert.deepEqual(lacks(await capabilities(), 'nvmeTcp'), [])
  })

  it('say which daemons and files are missing', async () => {
    await iscsid.stop()
    await multipathd.stop()
    removeNvmeHost()
    const found = await capabilities()
    assert.deepEqual(lacks(found, 'iscsi'), ['socket @ISCSIADM_ABSTRACT_NAMESPACE'])
    assert.deepEqual(lacks(found, 'multipath'), ['socket /run/multipathd.socket'])
    assert.deepEqual(lacks(found, 'nvmeTcp'), ['file /etc/nvme/hostnqn'])
    writeNvmeHost()
    iscsid = await startIscsid()
    multipathd = await startMultipathd()
  })

  const confined: [string, string[], Partial<Record<keyof Capabilities, string[]>>][] = [
    [
      'with /sys read-only',
      ['unshare', '--mount', 'sh', '-c', 'mount -o remount,bind,ro /sys && exec "$@"', 'sh'],
      { iscsi: ['mount /sys'], nvmeTcp: ['mount /sys'], multipath: [] },
    ],
    [
      'in a network namespace of its own',
      ['unshare', '--net'],
      { iscsi: ['namespace network'], iscsid: ['namespace network'], nvmeTcp: [] },
    ],
    [
      'in a user namespace of its own',
      ['unshare', '--user', '--map-root-user'],
      { iscsi: ['namespace user'], nvmeTcp: ['namespace user'] },
    ],
    [
      'without CAP_SYS_ADMIN and CAP_NET_ADMIN',
      ['setpriv', '--bounding-set=-sys_admin,-net_admin', '--inh-caps=-sys_admin,-net_admin'],
      {
        iscsi: ['capability CAP_SYS_ADMIN'],
        nvmeTcp: ['capability CAP_SYS_ADMIN'],
        watch: ['capability CAP_NET_ADMIN'],
      },
    ],
    [
      'with a /dev of its own',
      ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs dev /dev && exec "$@"', 'sh'],
      { nvmeTcp: ['device /dev/nvme-fabrics'], multipath: ['device /dev/mapper/control'], iscsi: [] },
    ],
    [
      'without /lib/modules',
      ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs modules /usr/lib/modules && exec "$@"', 'sh'],
      { nvmeLoop: ['module nvme_loop'], iscsi: [] },
    ],
  ]
  for (const [how, wrapper, expected] of confined) {
    it(`of a process ${how}`, () => {
      const found = askWithin(wrapper, 'capabilities') as Capabilities
      for (const [name, missing] of Object.entries(expected)) {
        assert.deepEqual(lacks(found, name as keyof Capabilities), missing, name)
      }
    })
  }

  it('of another user', () => {
    const found = askWithin(['setpriv', '--reuid=65534', '--clear-groups'], 'capabilities') as Capabilities
    const privileges = ['capability root', 'capability CAP_SYS_ADMIN']
    assert.deepEqual(lacks(found, 'iscsi'), [...privileges, 'file /etc/iscsi/initiatorname.iscsi'])
    assert.deepEqual(lacks(found, 'nvmeTcp'), [...privileges, 'device /dev/nvme-fabrics'])
    assert.equal(found.local.works, true)
  })
})

function lacks(found: Capabilities, name: keyof Capabilities): string[] {
  return found[name].missing.map((each) => `${each.kind} ${each.name}`)
}

/** Lists in one order, whatever order they came in. */
function ordered(properties: ConnectorProperties): object {
  const { host_ips, wwpns = [], wwnns = [] } = properties
  return { ...properties, host_ips: [...host_ips].sort(), wwpns: [...wwpns].sort(), wwnns: [...wwnns].sort() }
}

/** What a process of its own, started so, is told. */
function askWithin(wrapper: readonly string[], question: string): unknown {
  const { status, stdout, stderr } = spawnSync('env', [...wrapper, process.execPath, ask, question], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

/** A root on a disk of its own; all but the root itself is the guest's. */
class Root {
  readonly #image = '/dev/shm/lab-root'
  readonly #device: string
  readonly #folder = mkdtempSync('/mnt/root-')

  constructor() {
    loadModules('loop', 'ext4')
    writeFileSync(this.#image, '')
    truncateSync(this.#image, 16 * 1024 * 1024)
    run('mkfs.ext4', '-q', this.#image)
    this.#device = run('losetup', '--find', '--show', this.#image).trim()
    run('udevadm', 'settle')
    run('mount', this.#device, this.#folder)
    for (const name of ['usr', 'etc', 'proc', 'sys', 'dev', 'run', 'share', 'tmp']) {
      mkdirSync(join(this.#folder, name))
      run('mount', '--rbind', `/${name}`, join(this.#folder, name))
    }
    for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(this.#folder, name))
  }

  run(...command: string[]): string {
    return run('chroot', this.#folder, ...command)
  }

  ask(question: string): unknown {
    return askWithin(['chroot', this.#folder], question)
  }

  async remove(): Promise<void> {
    run('umount', '--recursive', '--lazy', this.#folder)
    rmSync(this.#folder, { recursive: true })
    run('losetup', '--detach', this.#device)
    await settled()
    rmSync(this.#image)
  }
}
