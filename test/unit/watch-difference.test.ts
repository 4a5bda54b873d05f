import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BlockDevice } from '../../lib/inventory/block-device.ts'
import type { HostChange, IscsiSession } from '../../lib/watch/change.ts'
import { difference } from '../../lib/watch/difference.ts'
import type { PathState, Picture } from '../../lib/watch/picture.ts'

const disk = (name: string, diskSequence: number, changes: Partial<BlockDevice> = {}): BlockDevice => ({
  name,
  path: `/dev/${name}`,
  kind: 'disk',
  devno: `8:${diskSequence}`,
  diskSequence,
  size: 1024,
  readOnly: false,
  sysfs: `/virtual/block/${name}`,
  transport: null,
  scsi: null,
  identity: null,
  wwid: null,
  nvme: null,
  raid: null,
  map: null,
  parent: null,
  holders: [],
  slaves: [],
  unreadable: {},
  ...changes,
})

const session = (id: number, changes: Partial<IscsiSession> = {}): IscsiSession => ({
  id,
  host: id + 2,
  target: 'iqn.2010-10.org.openstack:volume',
  portal: '10.0.0.1:3260',
  peer: '10.0.0.1:3260',
  state: 'LOGGED_IN',
  ...changes,
})

const path = (device: BlockDevice, changes: Partial<PathState> = {}): PathState => ({
  path: device.path,
  map: { path: '/dev/dm-0', name: 'mpatha', wwid: '36001405' },
  device,
  working: true,
  failures: 0,
  ...changes,
})

const picture = (parts: Partial<Picture> = {}): Picture => ({
  devices: [],
  sessions: [],
  controllers: [],
  paths: [],
  ...parts,
})

/** Each change as one line. */
function told(before: Partial<Picture>, after: Partial<Picture>, errors: [number, number][] = []): string[] {
  return difference(picture(before), picture(after), new Map(errors)).map(line)
}

function line(change: HostChange): string {
  switch (change.kind) {
    case 'device':
      return `${change.device.name} ${change.change}${change.change === 'changed' ? `: ${change.fields.join()}` : ''}`
    case 'session': {
      const more =
        change.change === 'error' ? `: ${change.error}` : change.change === 'state' ? `: ${change.before}` : ''
      return `session ${change.session.id} ${change.change}${more}`
    }
    case 'controller':
      return `controller ${change.controller.name} ${change.change}${change.change === 'state' ? `: ${change.before}` : ''}`
    case 'path':
      return `path ${change.path} ${change.change}, ${change.working} work`
  }
}

const [a, b] = [disk('sda', 1), disk('sdb', 2)]

describe('the difference of two pictures', () => {
  it('of the same is nothing', () => {
    const same = { devices: [a, b], sessions: [session(1)], paths: [path(a)] }
    assert.deepEqual(told(same, structuredClone(same)), [])
  })

  it('names the devices that came, went and changed, and what of them', () => {
    const grown = disk('sda', 1, { size: 2048, holders: ['dm-0'] })
    assert.deepEqual(told({ devices: [a] }, { devices: [grown, b] }), ['sdb added', 'sda changed: size,holders'])
    assert.deepEqual(told({ devices: [a, b] }, { devices: [b] }), ['sda removed'])
    const [change] = difference(picture({ devices: [a] }), picture({ devices: [grown] }), new Map())
    assert.deepEqual(change, {
      kind: 'device',
      change: 'changed',
      device: grown,
      before: a,
      fields: ['size', 'holders'],
    })
    assert.deepEqual(JSON.parse(JSON.stringify(change)), change)
  })

  it('knows a disk that has the name of another', () => {
    assert.deepEqual(told({ devices: [a] }, { devices: [disk('sda', 3)] }), ['sda removed', 'sda added'])
    const [old, other] = ['host1', 'host2'].map((sysfs) => ({ ...a, diskSequence: null, sysfs }))
    assert.deepEqual(told({ devices: old ? [old] : [] }, { devices: other ? [other] : [] }), [
      'sda removed',
      'sda added',
    ])
  })

  it('knows sessions by their number, and tells their state and their errors', () => {
    assert.deepEqual(told({ sessions: [session(1)] }, { sessions: [session(2)] }), [
      'session 1 removed',
      'session 2 added',
    ])
    assert.deepEqual(
      told({ sessions: [session(1)] }, { sessions: [session(1, { state: 'FAILED', peer: null })] }, [[1, 1022]]),
      ['session 1 error: NOP_TIMEDOUT', 'session 1 state: LOGGED_IN'],
    )
    assert.deepEqual(told({ sessions: [session(1)] }, {}, [[1, 4711]]), ['session 1 error: 4711', 'session 1 removed'])
  })

  it('does not know a session before that knows its target', () => {
    const unmade = session(1, { target: '', portal: '', state: 'FREE' })
    assert.deepEqual(told({}, { sessions: [unmade] }, [[1, 1020]]), [])
    assert.deepEqual(told({ sessions: [unmade] }, { sessions: [session(1)] }), ['session 1 added'])
    assert.deepEqual(told({ sessions: [unmade] }, {}), [])
  })

  it('knows controllers by their number and subsystem, and tells their state', () => {
    const controller = { name: 'nvme1', sysfs: '/x', transport: 'tcp', nqn: 'nqn.a', state: 'live' }
    const [lost, other] = [
      { ...controller, state: 'connecting' },
      { ...controller, nqn: 'nqn.b' },
    ]
    assert.deepEqual(told({}, { controllers: [controller] }), ['controller nvme1 added'])
    assert.deepEqual(told({ controllers: [controller] }, { controllers: [lost] }), ['controller nvme1 state: live'])
    assert.deepEqual(told({ controllers: [controller] }, { controllers: [other] }), [
      'controller nvme1 removed',
      'controller nvme1 added',
    ])
  })

  it('tells how the paths of a map do', () => {
    const [up, down] = [path(a), path(a, { working: false, failures: 1 })]
    assert.deepEqual(told({}, { paths: [up, path(b)] }), ['path /dev/sda added, 2 work', 'path /dev/sdb added, 2 work'])
    assert.deepEqual(told({ paths: [up, path(b)] }, { paths: [down, path(b)] }), ['path /dev/sda failed, 1 work'])
    assert.deepEqual(told({ paths: [down] }, { paths: [path(a, { failures: 1 })] }), [
      'path /dev/sda reinstated, 1 work',
    ])
    assert.deepEqual(told({ paths: [up, path(b)] }, { paths: [up] }), ['path /dev/sdb removed, 1 work'])
    assert.deepEqual(told({}, { paths: [down] }), ['path /dev/sda added, 0 work', 'path /dev/sda failed, 0 work'])
  })

  it('tells of a path that has failed and come back between the two', () => {
    const flapped = [path(a, { failures: 3 })]
    assert.deepEqual(told({ paths: [path(a, { failures: 1 })] }, { paths: flapped }), [
      'path /dev/sda failed, 1 work',
      'path /dev/sda reinstated, 1 work',
    ])
    // A new table counts anew.
    assert.deepEqual(told({ paths: flapped }, { paths: [path(a)] }), [])
  })

  it('lets go from the top down and come from the bottom up', () => {
    const all = { devices: [a], sessions: [session(1)], paths: [path(a)] }
    assert.deepEqual(told({}, all), ['session 1 added', 'sda added', 'path /dev/sda added, 1 work'])
    assert.deepEqual(told(all, {}), ['path /dev/sda removed, 0 work', 'sda removed', 'session 1 removed'])
  })
})
