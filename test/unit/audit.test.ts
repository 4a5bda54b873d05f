import assert from 'node:assert/strict'
import files from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { describe, it } from 'node:test'
import { audit } from '../../lib/audit/audit.ts'
import type { Facts } from '../../lib/audit/facts.ts'
import { judge } from '../../lib/audit/judge.ts'
import { binding } from '../../lib/binding.ts'
import type { BlockDevice } from '../../lib/inventory/block-device.ts'
import { Inventory } from '../../lib/inventory/inventory.ts'
import type { Session } from '../../lib/iscsi/sessions.ts'
import { identify } from '../../lib/scsi/identity.ts'
import { failure } from './recorded-nvme.ts'
import { RecordedHost } from './recorded-host.ts'

const device = (name: string, changes: Partial<BlockDevice> = {}): BlockDevice => ({
  name,
  path: `/dev/${name}`,
  kind: 'disk',
  devno: `8:${name.charCodeAt(2)}`,
  diskSequence: 1,
  size: 1024,
  readOnly: false,
  sysfs: `/virtual/block/${name}`,
  transport: null,
  scsi: null,
  identity: null,
  wwid: null,
  nvme: null,
  map: null,
  raid: null,
  parent: null,
  holders: [],
  slaves: [],
  unreadable: {},
  ...changes,
})

const place = { hctl: '2:0:0:1', host: 2, lun: 1, session: 7, remotePort: null }
const disk = device('sda', { scsi: place })
const map = device('dm-0', { devno: '254:0', map: { name: 'mpatha', uuid: 'mpath-36001405' } })

const session: Session = {
  id: 7,
  host: 2,
  targetId: 0,
  over: { name: 'default', transport: 'tcp' },
  targetName: 'iqn.2026-11.lab:audit',
  portal: { host: '10.0.0.1', family: 'ipv4', port: 3260 },
  peer: null,
  state: 'LOGGED_IN',
  units: [place],
}

const facts = (changes: Partial<Facts> & { devices?: readonly BlockDevice[]; mountInfo?: string } = {}): Facts => {
  const { devices = [disk], mountInfo, ...others } = changes
  return {
    host: new Inventory(devices, mountInfo),
    sessions: [session],
    controllers: [],
    unitStates: new Map([['2:0:0:1', 'running']]),
    maps: [],
    changed: [],
    links: [{ link: '/dev/disk/by-id/scsi-1', node: '/dev/sda' }],
    ...others,
  }
}

const found = (given: Facts): string[] => judge(given).map(({ kind, subject }) => `${kind} ${subject}`)

describe('an audit', () => {
  it('finds nothing where all is well', () => {
    const paths = [{ devno: '8:97', working: true }]
    const well = facts({ devices: [disk, map], maps: [{ device: map, suspended: false, paths }] })
    assert.deepEqual(judge(well), [])
  })

  it("plans for what is on a disk's partitions, too", () => {
    const partition = device('sda1', { kind: 'partition', parent: 'sda', devno: '8:1', holders: ['dm-1'] })
    const mountInfo = '36 25 8:1 / /mnt/data rw,relatime shared:1 - ext4 /dev/sda1 rw\n'
    const unitStates = new Map([['2:0:0:1', 'blocked']])
    const [finding] = judge(facts({ devices: [disk, partition], mountInfo, unitStates }))
    assert.deepEqual(finding?.evidence['mounted'], ['/mnt/data'])
    assert.deepEqual(finding.plan, [
      'umount /mnt/data',
      'take down what is built upon it: /dev/dm-1',
      'make sure that nothing has it open: fuser --verbose /dev/sda /dev/sda1',
      'echo 1 > /sys/class/scsi_device/2:0:0:1/device/delete',
    ])
  })

  it('finds paths that have failed, unless a map is above them', () => {
    for (const state of ['offline', 'transport-offline', 'blocked']) {
      assert.deepEqual(found(facts({ unitStates: new Map([['2:0:0:1', state]]) })), ['failed-path /dev/sda'])
    }
    const lost = [{ ...session, state: 'FAILED' }]
    assert.deepEqual(found(facts({ sessions: lost })), ['failed-path /dev/sda'])
    assert.deepEqual(found(facts({ sessions: lost, devices: [{ ...disk, holders: ['dm-0'] }] })), [])
  })

  it('says what is to be unmounted first', () => {
    const mountInfo = '22 1 8:97 / /srv rw - ext4 /dev/sda rw\n'
    const [finding] = judge(facts({ mountInfo, unitStates: new Map([['2:0:0:1', 'offline']]) }))
    assert.deepEqual(finding?.evidence, { hctl: '2:0:0:1', state: 'offline', session: 'LOGGED_IN', mounted: ['/srv'] })
    assert.equal(finding.plan[0], 'umount /srv')
    assert.match(finding.plan.at(-1) ?? '', /2:0:0:1\/device\/delete$/)
  })

  it('finds maps without a path that works, and suspended ones', () => {
    const paths = [{ devno: '8:97', working: false }]
    const devices = [{ ...disk, holders: ['dm-0'] }, map]
    assert.deepEqual(found(facts({ devices, maps: [{ device: map, suspended: false, paths }] })), [
      'map-without-paths /dev/dm-0',
    ])
    assert.deepEqual(found(facts({ devices, maps: [{ device: map, suspended: true, paths: null }] })), [
      'suspended-map /dev/dm-0',
    ])
  })

  it('finds disks that are another volume now, or none', () => {
    const said = identify({ page80: Buffer.from('0080000453312020', 'hex'), vendor: 'LIO-ORG', model: 'other' })
    const findings = judge(
      facts({
        changed: [
          { device: disk, said },
          { device: disk, said: null },
        ],
      }),
    )
    assert.deepEqual(
      findings.map(({ kind, evidence }) => [kind, evidence['said']]),
      [
        ['identity-changed', said.key],
        ['identity-changed', null],
      ],
    )
  })

  it('finds sessions without units, but not those that are being recovered', () => {
    const empty = { ...session, units: [] }
    assert.deepEqual(found(facts({ devices: [], links: [], sessions: [empty] })), ['session-without-units session7'])
    assert.deepEqual(found(facts({ devices: [], links: [], sessions: [{ ...empty, state: 'FREE' }] })), [])
  })

  it('finds controllers that are reconnected for ever', () => {
    const controller = { name: 'nvme1', state: 'connecting', nqn: 'nqn.2026-11.lab:audit', patience: 'off' }
    assert.deepEqual(found(facts({ controllers: [controller] })), ['controller-reconnecting nvme1'])
    assert.deepEqual(found(facts({ controllers: [{ ...controller, patience: '600' }] })), [])
    assert.deepEqual(found(facts({ controllers: [{ ...controller, state: 'live' }] })), [])
  })

  it('finds links of disks that have gone', () => {
    const links = [{ link: '/dev/disk/by-id/scsi-2', node: '/dev/sdb' }]
    assert.deepEqual(found(facts({ links })), ['dangling-link /dev/disk/by-id/scsi-2'])
  })
})

describe('an audit of a host', () => {
  const answer = (result: Promise<unknown>): object => ({ result, number: 0 })
  const another = Buffer.from('0083001401030010' + '6001405bbbbbbbbbbbbbbbbbbbbbbbbb', 'hex')

  for (const [does, page83, kinds] of [
    ['finds a disk that says another name now', another, ['identity-changed']],
    ['does not take a disk that says no name now for another volume', null, []],
  ] as const) {
    it(does, async (test) => {
      new RecordedHost(test).addUnit({
        target: '/sys/devices/pci0000:00/0000:00:02.0/host2/rport-2:0-0/target2:0:0',
        hctl: '2:0:0:1',
        name: 'sda',
        naa: '6001405aaaaaaaaaaaaaaaaaaaaaaaaa',
      })
      const said = { standard: Buffer.alloc(36), page83, page80: null }
      test.mock.method(binding(), 'identify', () => answer(Promise.resolve(said)))
      const findings = await audit()
      assert.deepEqual(
        findings.map(({ kind }) => kind),
        kinds,
      )
    })
  }

  const link = '/dev/disk/by-id/dm-name-mpatha'
  for (const [does, node, found] of [
    ['finds a link that leads nowhere through another one', undefined, [link]],
    ['finds no fault with a link that leads to a device through another one', '/dev/dm-0', []],
  ] as const) {
    it(does, async (test) => {
      const host = new RecordedHost(test)
      host.write('/sys/class/block/.keep')
      host.write(link)
      const resolved = (): Promise<string> => (node ? Promise.resolve(node) : Promise.reject(failure('ENOENT', link)))
      test.mock.method(binding(), 'resolvePath', () => answer(resolved()))
      test.mock.method(files, 'readlink', () => Promise.resolve('../../mapper/mpatha'))
      syncBuiltinESMExports()
      const findings = await audit()
      assert.deepEqual(
        findings.map(({ subject }) => subject),
        found,
      )
    })
  }
})
