import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { judge } from '../../lib/capabilities/capabilities.ts'
import type { Capabilities } from '../../lib/capabilities/capabilities.ts'
import { isHostNetwork, listening } from '../../lib/capabilities/host-facts.ts'
import type { HostFacts } from '../../lib/capabilities/host-facts.ts'
import { capabilities } from '../../lib/index.ts'

/** A host that has everything, most of it in the kernel itself. */
const able: HostFacts = {
  hostUsers: true,
  hostNetwork: true,
  uid: 0,
  capabilities: 0x1ff_ffff_ffffn,
  mounts: [
    { devno: '8:2', path: '/', readOnly: false, type: 'ext4', source: '/dev/sda2' },
    { devno: '0:20', path: '/sys', readOnly: false, type: 'sysfs', source: 'sysfs' },
    { devno: '0:25', path: '/run', readOnly: false, type: 'tmpfs', source: 'tmpfs' },
  ],
  modules: {
    folder: '/lib/modules/6.12',
    present: new Set(['nvme_tcp', 'nvme_core']),
    builtIn: 'kernel/drivers/scsi/iscsi_tcp.ko\nkernel/drivers/nvme/host/nvme-fc.ko\n',
    loadable:
      'kernel/drivers/nvme/host/nvme-rdma.ko.xz: kernel/lib/x.ko.xz\nkernel/drivers/md/dm-multipath.ko.xz:\n' +
      'kernel/drivers/infiniband/ulp/iser/ib_iser.ko.xz:\nkernel/drivers/nvme/target/nvme-loop.ko.xz:\n',
  },
  devices: new Map([
    ['nvme-fabrics', undefined],
    ['device-mapper', undefined],
  ]),
  scsiDrivers: ['sd', 'sr'],
  fibreChannelPorts: ['Linkdown', 'Online'],
  rdmaDevices: ['mlx5_0'],
  sockets: new Set(['@ISCSIADM_ABSTRACT_NAMESPACE']),
  multipathd: undefined,
  udevd: true,
  initiatorName: { name: 'iqn.1993-08.org.debian:01:abc' },
  nvmeHost: { name: 'nqn.2014-08.org.nvmexpress:uuid:x' },
  nativeMultipath: true,
  sdsCli: { path: '/usr/local/bin/sds/sds_cli', installed: true },
}

const without = (changes: Partial<HostFacts>): Capabilities => judge({ ...able, ...changes })
const lacks = (found: Capabilities, name: keyof Capabilities): string[] =>
  found[name].missing.map(({ kind, name: which }) => `${kind} ${which}`)

describe('capabilities', () => {
  it('are all there on a host that has everything, drivers in the kernel included', () => {
    for (const [name, { works, missing }] of Object.entries(judge(able))) {
      assert.deepEqual({ works, missing }, { works: true, missing: [] }, name)
    }
  })

  it('see a driver by its sysfs folder, by either list of modules, and in no other', () => {
    const modules = { ...able.modules, builtIn: '', loadable: '' }
    const found = without({ modules })
    assert.deepEqual(lacks(found, 'nvmeTcp'), [])
    assert.deepEqual(lacks(found, 'iscsi'), ['module iscsi_tcp'])
    assert.equal(found.iscsi.missing[0]?.message, 'the kernel has none')
    // What another name ends with is another module.
    assert.deepEqual(lacks(without({ modules: { ...modules, loadable: 'kernel/x-nvme-fc.ko:\n' } }), 'nvmeFc'), [
      'module nvme_fc',
    ])
  })

  it('say when nobody can tell', () => {
    const modules = { ...able.modules, builtIn: undefined, loadable: undefined }
    assert.match(without({ modules }).iscsi.missing[0]?.message ?? '', /without \/lib\/modules\/6.12 nobody can tell/)
    assert.deepEqual(lacks(without({ modules }), 'nvmeTcp'), [])
  })

  it('know a SCSI disk driver that is part of the kernel', () => {
    assert.deepEqual(lacks(without({ scsiDrivers: [] }), 'iscsi'), ['module sd_mod'])
  })

  const cases: [string, Partial<HostFacts>, Partial<Record<keyof Capabilities, string[]>>][] = [
    ['another user', { uid: 1000, capabilities: 0n }, { iscsi: ['capability root', 'capability CAP_SYS_ADMIN'] }],
    ['other users', { hostUsers: false }, { nvmeTcp: ['namespace user'], watch: ['namespace user'], local: [] }],
    ['another network', { hostNetwork: false }, { iscsi: ['namespace network'], nvmeTcp: [] }],
    ['a network of which nothing is known', { hostNetwork: undefined }, { iscsi: [] }],
    ['no iscsid', { sockets: new Set() }, { iscsi: ['socket @ISCSIADM_ABSTRACT_NAMESPACE'], fibreChannel: [] }],
    ['no multipathd', { multipathd: 'nobody' }, { multipath: ['socket /run/multipathd.socket'], iscsi: [] }],
    ['no nvme-fabrics', { devices: new Map() }, { nvmeTcp: ['module nvme_fabrics'], multipath: ['module dm_mod'] }],
    ['no node', { devices: new Map([['nvme-fabrics', 'ENOENT']]) }, { nvmeFc: ['device /dev/nvme-fabrics'] }],
    ['no ports', { fibreChannelPorts: [] }, { fibreChannel: ['device Fibre Channel port'] }],
    ['no link', { fibreChannelPorts: ['Linkdown'] }, { fibreChannel: ['device Fibre Channel port'] }],
    [
      'native multipath off',
      { nativeMultipath: false },
      { nvmeMultipath: ['setting nvme_core.multipath'], nvmeTcp: [] },
    ],
    ['no initiator name', { initiatorName: { lack: 'none' } }, { iscsi: ['file /etc/iscsi/initiatorname.iscsi'] }],
  ]
  for (const [name, changes, expected] of cases) {
    it(`with ${name}`, () => {
      const found = without(changes)
      for (const [capability, missing] of Object.entries(expected)) {
        assert.deepEqual(lacks(found, capability as keyof Capabilities), missing, capability)
        assert.equal(found[capability as keyof Capabilities].works, missing.length === 0)
      }
    })
  }

  it('with a read-only /sys', () => {
    const [root, sys, run] = able.mounts
    assert.ok(root && sys && run, 'three mounts')
    const found = without({ mounts: [root, { ...sys, readOnly: true }, run] })
    assert.deepEqual(lacks(found, 'iscsi'), ['mount /sys'])
    assert.deepEqual(lacks(found, 'multipath'), [])
    assert.deepEqual(lacks(without({ mounts: [{ ...root, readOnly: true }, sys] }), 'multipath'), ['mount /run'])
  })

  it('are plain JSON on this host, too', async () => {
    const found = await capabilities()
    assert.deepEqual(JSON.parse(JSON.stringify(found)), found)
  })
})

describe('what /proc says', () => {
  const netlink = (rows: string): string =>
    `sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n${rows}`

  it('of netlink sockets tells the network namespace', () => {
    const kernel = '0000000000000000 8   0          00000000 0        0        0     2        0        76\n'
    const daemon = '0000000000000000 8   517        00000001 0        0        0     2        0        77\n'
    assert.equal(isHostNetwork(netlink(kernel), true), true)
    assert.equal(isHostNetwork(netlink(daemon), true), false)
    assert.equal(isHostNetwork(netlink(daemon), false), undefined)
    assert.equal(isHostNetwork('', false), undefined)
  })

  it('of UNIX sockets tells who listens', () => {
    const rows = [
      'Num       RefCount Protocol Flags    Type St Inode Path',
      '0000000000000000: 00000002 00000000 00010000 0001 01 11111 @ISCSIADM_ABSTRACT_NAMESPACE',
      '0000000000000000: 00000003 00000000 00000000 0001 03 22222 @connected',
      '0000000000000000: 00000002 00000000 00010000 0005 01 33333 /run/udev/control',
      '0000000000000000: 00000002 00000000 00010000 0001 01 44444',
    ]
    assert.deepEqual([...listening(rows.join('\n'))], ['@ISCSIADM_ABSTRACT_NAMESPACE', '/run/udev/control'])
  })
})
