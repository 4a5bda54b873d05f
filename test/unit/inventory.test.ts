import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { binding } from '../../lib/binding.ts'
import { scsiPlaceOf, transportOf } from '../../lib/inventory/place.ts'
import type { BlockDevice } from '../../lib/inventory/block-device.ts'
import { wwidsOf } from '../../lib/inventory/indexes.ts'
import { Inventory, inventory } from '../../lib/inventory/inventory.ts'
import { readAll, readSomeDevices } from '../../lib/inventory/read.ts'
import { difference } from '../../lib/watch/difference.ts'

const root = mkdtempSync(`${tmpdir()}/hostbrick-sysfs-`)
after(() => {
  rmSync(root, { recursive: true })
})

/** VPD page 0x83 with one designator: NAA 6, of the logical unit. */
const naa = '6001405e2d9b3ce3a2a4f7d9f9a2c1b7'
const page83 = Buffer.from(`0083001401030010${naa}`, 'hex')
const name = `3${naa}`

const inquiry = Buffer.concat([Buffer.alloc(8), Buffer.from('LIO-ORG volume          4.0 ')])
const scsi = { '../../vpd_pg83': page83, '../../inquiry': inquiry }

interface FakeDevice {
  readonly place: string
  readonly files: Readonly<Record<string, string | Buffer>>
  readonly holders?: readonly string[]
  readonly slaves?: readonly string[]
}

const numbers = (major: number, minor: number, more = ''): string => `MAJOR=${major}\nMINOR=${minor}\n${more}`

const fake: Readonly<Record<string, FakeDevice>> = {
  sda: {
    place: '/platform/host2/session7/target2:0:0/2:0:0:1/block/sda',
    files: { uevent: numbers(8, 0, 'DEVNAME=sda\nDEVTYPE=disk\nDISKSEQ=12\n'), size: '2097152\n', ro: '0\n', ...scsi },
    holders: ['dm-0'],
    slaves: [],
  },
  sdb: {
    place: '/pci0000:00/0000:00:05.0/host3/rport-3:0-11/target3:0:5/3:0:5:16640/block/sdb',
    files: { uevent: numbers(8, 16, 'DEVNAME=sdb\nDEVTYPE=disk\nDISKSEQ=13\n'), size: '2097152\n', ro: '1\n', ...scsi },
    holders: ['dm-0'],
    slaves: [],
  },
  sda1: {
    place: '/platform/host2/session7/target2:0:0/2:0:0:1/block/sda/sda1',
    files: {
      uevent: numbers(8, 1, 'DEVNAME=sda1\nDEVTYPE=partition\nDISKSEQ=12\nPARTN=1\n'),
      size: '2048\n',
      ro: '0\n',
    },
    holders: [],
  },
  sdc: {
    place: '/platform/host4/session8/target4:0:0/4:0:0:0/block/sdc',
    files: {
      uevent: numbers(8, 32, 'DEVNAME=sdc\nDEVTYPE=disk\n'),
      size: '0\n',
      ...scsi,
      '../../vpd_pg83': Buffer.from('00830014010300ff', 'hex'),
      '../../vpd_pg80': Buffer.from('0080000453312020', 'hex'),
    },
  },
  'dm-0': {
    place: '/virtual/block/dm-0',
    files: {
      uevent: numbers(254, 0, 'DEVNAME=dm-0\nDEVTYPE=disk\nDISKSEQ=14\n'),
      size: '2097152\n',
      ro: '0\n',
      'dm/name': 'mpatha\n',
      'dm/uuid': `mpath-${name}\n`,
    },
    holders: ['dm-1'],
    slaves: ['sda', 'sdb'],
  },
  'dm-1': {
    place: '/virtual/block/dm-1',
    files: {
      uevent: numbers(254, 1, 'DEVNAME=dm-1\nDEVTYPE=disk\n'),
      size: '8\n',
      'dm/name': 'vg-lv\n',
      'dm/uuid': 'LVM-abc\n',
    },
    slaves: ['dm-0'],
  },
  nvme0n1: {
    place: '/virtual/nvme-subsystem/nvme-subsys0/nvme0n1',
    files: {
      uevent: numbers(259, 1, 'DEVNAME=nvme0n1\nDEVTYPE=disk\n'),
      size: '8\n',
      wwid: 'uuid.5b2d-01\n',
      nsid: '7\n',
      nguid: '00112233-4455-6677-8899-aabbccddeeff\n',
      eui: '00 11 22 33 44 55 66 77\n',
      '../subsysnqn': 'nqn.2026-11.lab:array\n',
      '../serial': 'S123  \n',
    },
  },
  nvme0n1p1: {
    place: '/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p1',
    files: { uevent: numbers(259, 2, 'DEVNAME=nvme0n1p1\nDEVTYPE=partition\n'), size: '2\n', wwid: 'not asked for\n' },
  },
  md0: {
    place: '/virtual/block/md0',
    files: {
      uevent: numbers(9, 0, 'DEVNAME=md0\nDEVTYPE=disk\n'),
      size: '8\n',
      'md/level': 'raid1\n',
      'md/array_state': 'clean\n',
      'md/raid_disks': '2 (3)\n',
      'md/degraded': '1\n',
    },
    slaves: ['sda1'],
  },
  nvme0c0n1: {
    place: '/pci0000:00/0000:00:06.0/nvme/nvme0/nvme0c0n1',
    files: {
      uevent: 'DEVTYPE=disk\n',
      size: '8\n',
      wwid: 'uuid.5b2d-01\n',
      ana_state: 'non-optimized\n',
      '../state': 'live\n',
      '../transport': 'pcie\n',
      '../subsysnqn': 'nqn.2026-11.lab:array\n',
    },
  },
  // Without native multipath.
  nvme7n1: {
    place: '/virtual/nvme-fabrics/ctl/nvme7/nvme7n1',
    files: {
      uevent: numbers(259, 3, 'DEVNAME=nvme7n1\nDEVTYPE=disk\n'),
      size: '8\n',
      nsid: '1\n',
      '../state': 'connecting\n',
      '../transport': 'tcp\n',
      '../subsysnqn': 'nqn.2026-11.lab:other\n',
      '../serial': 'S7\n',
    },
  },
  nvme7n1p1: {
    place: '/virtual/nvme-fabrics/ctl/nvme7/nvme7n1/nvme7n1p1',
    files: { uevent: numbers(259, 4, 'DEVNAME=nvme7n1p1\nDEVTYPE=partition\n'), size: '2\n' },
  },
  loop0: {
    place: '/virtual/block/loop0',
    files: { uevent: numbers(7, 0, 'DEVNAME=loop0\nDEVTYPE=disk\n'), size: '0\n', wwid: 'not asked for\n' },
  },
  vda: {
    place: '/pci0000:00/0000:00:07.0/virtio3/block/vda',
    files: { uevent: numbers(252, 0, 'DEVNAME=vda\nDEVTYPE=disk\n'), size: '8\n' },
  },
  'cciss!c0d0': {
    place: '/pci0000:00/cciss0/block/cciss!c0d0',
    files: { uevent: numbers(104, 0, 'DEVNAME=cciss/c0d0\nDEVTYPE=disk\n'), size: '8\n' },
  },
  // On its way out: its attributes have gone before its link.
  sdz: { place: '/platform/host9/session9/target9:0:0/9:0:0:0/block/sdz', files: {} },
  // Still being set up.
  sdy: { place: '/platform/host9/session9/target9:0:0/9:0:0:1/block/sdy', files: { uevent: '' } },
}

mkdirSync(`${root}/class/block`, { recursive: true })
for (const [device, { place, files, ...directories }] of Object.entries(fake)) {
  const folder = `${root}/devices${place}`
  mkdirSync(folder, { recursive: true })
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(`${folder}/${file}/..`.replace(/[^/]+\/\.\.$/, ''), { recursive: true })
    writeFileSync(`${folder}/${file}`, content)
  }
  for (const [directory, entries] of Object.entries(directories)) {
    mkdirSync(`${folder}/${directory}`)
    for (const entry of entries) symlinkSync(`../../${entry}`, `${folder}/${directory}/${entry}`)
  }
  symlinkSync(`../../devices${place}`, `${root}/class/block/${device}`)
}
mkdirSync(`${root}/class/nvme-subsystem`)
symlinkSync('../../devices/virtual/nvme-subsystem/nvme-subsys0', `${root}/class/nvme-subsystem/nvme-subsys0`)
mkdirSync(`${root}/class/nvme`)
symlinkSync('../../devices/pci0000:00/0000:00:06.0/nvme/nvme0', `${root}/class/nvme/nvme0`)
symlinkSync('../../devices/virtual/nvme-fabrics/ctl/nvme7', `${root}/class/nvme/nvme7`)
symlinkSync('../../devices/nowhere', `${root}/class/block/sdx`)
mkdirSync(`${root}/devices/pci0000:00/0000:00:07.0/virtio3/block/vda/ro`)

const mountInfo = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:40 /@ /srv/a\\040b rw - btrfs /dev/mapper/vg-lv rw
24 22 0:5 / /proc rw - proc none rw
`
const { devices, controllers } = await readAll(root)
const picture = new Inventory(devices, mountInfo, controllers)
const named = (device: string): BlockDevice => picture.byName.get(device) ?? assert.fail(`no ${device}`)
const nothing = { sessions: [], controllers: [], paths: [] }
const plain = (device: BlockDevice): BlockDevice => JSON.parse(JSON.stringify(device)) as BlockDevice

describe('block devices', () => {
  it('are those with a node, and no dangling link fails the others', () => {
    const hidden = ['nvme0c0n1', 'sdx', 'sdy', 'sdz']
    const shown = Object.keys(fake).filter((device) => !hidden.includes(device))
    assert.deepEqual([...picture.byName.keys()].sort(), shown.sort())
  })

  it('are described whole', () => {
    const { identity, ...disk } = plain(named('sda'))
    assert.equal(identity?.names.udev, name)
    assert.deepEqual([identity.vendor, identity.model], ['LIO-ORG', 'volume'])
    assert.deepEqual(disk, {
      name: 'sda',
      path: '/dev/sda',
      kind: 'disk',
      devno: '8:0',
      diskSequence: 12,
      size: 1 << 30,
      readOnly: false,
      sysfs: '/platform/host2/session7/target2:0:0/2:0:0:1/block/sda',
      transport: 'iscsi',
      scsi: { hctl: '2:0:0:1', host: 2, lun: 1, session: 7, remotePort: null },
      wwid: null,
      nvme: null,
      map: null,
      raid: null,
      parent: null,
      holders: ['dm-0'],
      slaves: [],
      unreadable: {},
    })
  })

  it('are partitions too, which are their disk in nothing but place', () => {
    const { kind, parent, identity, scsi: place, holders, slaves, transport, size } = named('sda1')
    assert.deepEqual(
      { kind, parent, identity, holders, slaves, transport, size },
      {
        kind: 'partition',
        parent: 'sda',
        identity: null,
        holders: ['md0'],
        slaves: [],
        transport: 'iscsi',
        size: 1 << 20,
      },
    )
    assert.equal(place?.hctl, '2:0:0:1')
    assert.equal(picture.byHctl.get('2:0:0:1'), named('sda'))
  })

  it('of Fibre Channel have a remote port', () => {
    const { scsi: place, readOnly } = named('sdb')
    assert.deepEqual(place, { hctl: '3:0:5:16640', host: 3, lun: 16640, session: null, remotePort: 'rport-3:0-11' })
    assert.equal(readOnly, true)
  })

  it('of the device mapper have its name and uuid', () => {
    assert.deepEqual(named('dm-0').map, { name: 'mpatha', uuid: `mpath-${name}` })
    assert.deepEqual(named('dm-1').map, { name: 'vg-lv', uuid: 'LVM-abc' })
    assert.deepEqual(named('dm-0').slaves.toSorted(), ['sda', 'sdb'])
    assert.equal(named('sda').map, null)
  })

  it('of NVMe have the wwid of the kernel, which is asked of no other', () => {
    assert.equal(named('nvme0n1').wwid, 'uuid.5b2d-01')
    assert.equal(named('loop0').wwid, null)
  })

  it('of NVMe are namespaces of a subsystem, which their partitions are not', () => {
    assert.deepEqual(named('nvme0n1').nvme, {
      subsystem: 'nvme-subsys0',
      nqn: 'nqn.2026-11.lab:array',
      serial: 'S123',
      namespaceId: 7,
      uuid: '5b2d-01',
      nguid: '00112233445566778899aabbccddeeff',
      eui64: '0011223344556677',
    })
    const { nvme, wwid } = named('nvme0n1p1')
    assert.deepEqual({ nvme, wwid }, { nvme: null, wwid: null })
  })

  it('of NVMe are reached through controllers, each as well as it says', () => {
    assert.deepEqual(picture.controllers, [
      {
        name: 'nvme0',
        sysfs: '/pci0000:00/0000:00:06.0/nvme/nvme0',
        transport: 'pcie',
        nqn: 'nqn.2026-11.lab:array',
        state: 'live',
        paths: [{ name: 'nvme0c0n1', device: 'nvme0n1', anaState: 'non-optimized' }],
      },
      {
        name: 'nvme7',
        sysfs: '/virtual/nvme-fabrics/ctl/nvme7',
        transport: 'tcp',
        nqn: 'nqn.2026-11.lab:other',
        state: 'connecting',
        paths: [{ name: 'nvme7n1', device: 'nvme7n1', anaState: null }],
      },
    ])
    const { subsystem, serial } = named('nvme7n1').nvme ?? {}
    assert.deepEqual({ subsystem, serial }, { subsystem: null, serial: 'S7' })
    assert.deepEqual(new Inventory([]).controllers, [])
  })

  it('that are a RAID say how it does', () => {
    assert.deepEqual(named('md0').raid, { level: 'raid1', state: 'clean', members: 2, missing: 1 })
    assert.equal(named('loop0').raid, null)
  })

  it('are the same when they are asked for one by one', async () => {
    const some = await readSomeDevices(Object.keys(fake), root)
    const byName = new Map(some.map((device) => [device.name, device]))
    assert.deepEqual([...byName.keys()].sort(), [...picture.byName.keys()].sort())
    // The fake's folders of holders are not the whole truth.
    for (const device of some) {
      assert.deepEqual({ ...plain(device), holders: [] }, { ...plain(named(device.name)), holders: [] })
    }
    assert.deepEqual(byName.get('sda')?.holders, ['dm-0'])
    assert.deepEqual(await readSomeDevices(['sdx', 'none'], root), [])
    assert.deepEqual(await readSomeDevices([], root), [])
  })

  it('have the node that the kernel names', () => {
    assert.equal(named('cciss!c0d0').path, '/dev/cciss/c0d0')
  })

  it('with a page that lies stay in the list, and say so', () => {
    const { identity, unreadable, diskSequence, size } = named('sdc')
    assert.deepEqual(
      { identity, unreadable, diskSequence, size },
      {
        identity: null,
        unreadable: { 'device/vpd_pg83': 'EBADMSG' },
        diskSequence: null,
        size: 0,
      },
    )
  })

  it('are shown whole', () => {
    const shown = inspect(named('sda'), { depth: 3 })
    assert.match(shown, /name: 'sda'.*devno: '8:0'/s)
    assert.match(shown, new RegExp(`udev: '${name}'`))
  })

  it('that are read once more are told apart by what has changed', async () => {
    const folder = `${root}/devices/virtual/block/loop0`
    const changes = async (act: () => void): Promise<unknown[]> => {
      const before = await readSomeDevices(['loop0'], root)
      act()
      const after = await readSomeDevices(['loop0'], root)
      const told = difference({ ...nothing, devices: before }, { ...nothing, devices: after }, new Map())
      return told.flatMap<unknown>((change) => ('fields' in change ? change.fields : change))
    }
    const write = (file: string, content: string): void => {
      writeFileSync(`${folder}/${file}`, content)
    }
    assert.deepEqual(await changes(() => undefined), [])
    const grow = (): void => {
      write('size', '16\n')
      write('ro', '1\n')
    }
    assert.deepEqual(await changes(grow), ['size', 'readOnly'])
    const renumber = (): void => {
      write('uevent', numbers(7, 1, 'DEVTYPE=disk\n'))
    }
    assert.deepEqual(await changes(renumber), ['devno'])
    // What it was when it could be read is no news.
    write('size', '0\n')
    const hide = (): void => {
      rmSync(`${folder}/size`)
      mkdirSync(`${folder}/size`)
    }
    assert.deepEqual(await changes(hide), ['unreadable'])
  })

  it('say what could not be read', () => {
    assert.deepEqual(named('vda').unreadable, { ro: 'EISDIR' })
  })
})

describe('the transport', () => {
  const places: [string, string | null][] = [
    ['/platform/host2/session7/target2:0:0/2:0:0:1/block/sda', 'iscsi'],
    ['/pci0000:00/host3/rport-3:0-11/target3:0:5/3:0:5:1/block/sdb', 'fc'],
    ['/pci0000:00/host1/port-1:0/end_device-1:0/target1:0:0/1:0:0:0/block/sdc', 'sas'],
    ['/pci0000:00/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdd', 'usb'],
    ['/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sde', 'ata'],
    ['/pci0000:00/0000:00:05.0/virtio2/host0/target0:0:0/0:0:0:0/block/sdf', 'scsi'],
    ['/pci0000:00/0000:00:06.0/nvme/nvme0/nvme0n1', 'nvme'],
    ['/virtual/nvme-subsystem/nvme-subsys0/nvme0n1', 'nvme'],
    ['/virtual/nvme-fabrics/ctl/nvme1/nvme1n1', 'nvme'],
    ['/pci0000:00/0000:00:07.0/virtio3/block/vda', 'virtio'],
    ['/platform/mmc_host/mmc0/mmc0:0001/block/mmcblk0', 'mmc'],
    ['/virtual/block/dm-0', null],
    ['/virtual/block/loop0', null],
  ]
  for (const [path, transport] of places) {
    it(`of ${path} is ${transport ?? 'none'}`, () => {
      assert.equal(transportOf(path), transport)
    })
  }
})

describe('the place of a SCSI device', () => {
  it('is exact', () => {
    assert.equal(scsiPlaceOf('/host2/session17/target2:0:0/2:0:0:11')?.lun, 11)
    assert.equal(scsiPlaceOf('/host2/session17/target2:0:0/2:0:0:11')?.session, 17)
    assert.equal(scsiPlaceOf('/host2/session17/target2:0:0'), null)
    assert.equal(scsiPlaceOf('/host2/session17/target2:0:0/2:0:0:1x/'), null)
    assert.equal(scsiPlaceOf('/virtual/block/dm-0'), null)
  })
})

describe('the indexes', () => {
  it('find all paths of a volume, and its map, by its name', () => {
    assert.deepEqual(
      picture.byWwid
        .get(name)
        ?.map((device) => device.name)
        .sort(),
      ['dm-0', 'sda', 'sdb'],
    )
    assert.deepEqual(picture.byWwid.get('uuid.5b2d-01'), [named('nvme0n1')])
    assert.equal(picture.byWwid.get(naa), undefined)
    assert.deepEqual(wwidsOf(named('dm-1')), [])
    assert.equal(new Set(wwidsOf(named('sda'))).size, wwidsOf(named('sda')).length)
  })

  it('find one device by its number and by its place', () => {
    assert.equal(picture.byDevno.get('254:1'), named('dm-1'))
    assert.equal(picture.byHctl.get('3:0:5:16640'), named('sdb'))
    assert.equal(picture.byHctl.size, 3)
  })

  it('find a namespace by each of its names, and the disks of a session, a remote port and a serial number', () => {
    const names = ['5b2d-01', '00112233445566778899aabbccddeeff', '0011223344556677']
    for (const one of names) assert.deepEqual(picture.byNamespaceName.get(one), [named('nvme0n1')])
    assert.deepEqual(picture.byNqn.get('nqn.2026-11.lab:array'), [named('nvme0n1')])
    assert.deepEqual(picture.byNamespaceId.get('nqn.2026-11.lab:array 7'), [named('nvme0n1')])
    assert.deepEqual(picture.byRemotePort.get('rport-3:0-11'), [named('sdb')])
    const ofSession = picture.bySession.get(7)?.map((device) => device.name) ?? []
    assert.deepEqual(ofSession.toSorted(), ['sda', 'sda1'])
    assert.deepEqual(picture.bySerial.get('S123'), [named('nvme0n1')])
    assert.deepEqual(picture.byParent.get('sda'), [named('sda1')])
  })

  it('of nothing are empty', () => {
    const { byName, byWwid } = new Inventory([])
    assert.equal(byName.size + byWwid.size, 0)
  })
})

describe('mounts', () => {
  it('are found by the number of their device, or by its name', () => {
    assert.equal(picture.mounts.length, 3)
    assert.deepEqual(picture.mountsOf(named('sda1')), [
      { devno: '8:1', path: '/', readOnly: false, type: 'ext4', source: '/dev/sda1' },
    ])
    const ofMap = picture.mountsOf(named('dm-1')).map(({ path }) => path)
    assert.deepEqual(ofMap, ['/srv/a b'])
    assert.deepEqual(picture.mountsOf(named('sda')), [])
  })
})

describe('inventory()', () => {
  it('is what this host has', { skip: !existsSync('/sys/class/block') && 'no block devices here' }, async () => {
    const { devices: found, byName } = await inventory()
    const shown = readdirSync('/sys/class/block').filter((device) => existsSync(`/sys/class/block/${device}/dev`))
    for (const device of shown) assert.ok(byName.has(device), device)
    for (const device of found) {
      assert.match(device.devno, /^\d+:\d+$/)
      assert.match(device.path, /^\/dev\//)
      assert.ok(Number.isSafeInteger(device.size) && device.size >= 0)
    }
    assert.doesNotThrow(() => JSON.stringify(found))
  })

  it('is shared by all who ask together; who asks during a walk gets the one after it', async (t) => {
    const walk = t.mock.method(binding(), 'walkInParts')
    const together = await Promise.all(Array.from({ length: 100 }, () => inventory()))
    assert.equal(new Set(together).size, 1)
    assert.equal(walk.mock.callCount(), 1)

    const first = inventory()
    await Promise.resolve()
    await Promise.resolve()
    assert.equal(walk.mock.callCount(), 2)
    const later = await Promise.all(Array.from({ length: 100 }, () => inventory()))
    assert.equal(walk.mock.callCount(), 3)
    assert.equal(new Set([...later, await first]).size, 2)
  })

  it('fails nobody but the one who gives up', async () => {
    const caller = new AbortController()
    const reason = new Error('enough')
    const given = inventory({ signal: caller.signal })
    const other = inventory()
    caller.abort(reason)
    await assert.rejects(given, { code: 'ABORTED', step: 'walk', cause: reason })
    assert.ok((await other).devices)
  })

  it('goes on after a walk that failed', async (t) => {
    const failure = Object.assign(new Error('no'), { errno: -13, syscall: 'opendir', path: '/sys/class/block' })
    const job = { result: Promise.reject(failure), number: 0 }
    t.mock.method(binding(), 'walkInParts', () => job, { times: 1 })
    await assert.rejects(inventory(), { code: 'PERMISSION_DENIED', step: 'walk' })
    assert.ok((await inventory()).devices)
  })

  it('refuses a timeout that is none', async () => {
    await assert.rejects(inventory({ timeout: 0 }), { code: 'INVALID_ARGUMENT' })
  })
})
