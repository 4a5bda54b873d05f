/**
 * FibreChannelConnector on hosts that no lab has: IBM Z, Power, virtual ports, adapters without a link. The trees are laid
 * out as drivers/scsi/scsi_transport_fc.c and drivers/s390/scsi/zfcp_sysfs.c make them.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { BrickError, FibreChannelConnector } from '../../lib/index.ts'
import type { ErrorCode } from '../../lib/index.ts'
import { RecordedHost } from './recorded-host.ts'

const target = '500507630300c562'
const naa = '6005076303ffc5620000000000000011'
const wwn = `3${naa}`
const volume = { target_wwn: target, target_lun: 1 }
/** Long enough to find things, short enough to wait in vain. */
const soon = { timeout: 2000 }

interface Port {
  host: number
  /** The folder of its SCSI host below /sys/devices. */
  folder: string
  name: string
}

/** A port of the host, as an adapter's driver registers it. */
function addPort(host: RecordedHost, port: Port, state = 'Online'): void {
  const attributes = {
    port_name: `0x${port.name}\n`,
    node_name: `0x2${port.name.slice(1)}\n`,
    port_state: `${state}\n`,
  }
  host.device(`${port.folder}/fc_host/host${port.host}`, 'fc_host', attributes)
  host.device(`${port.folder}/scsi_host/host${port.host}`, 'scsi_host', { scan: '' })
}

/** A port that it sees, as its number `number` there. */
function addRemotePort(
  host: RecordedHost,
  { folder, host: h }: Port,
  { name = target, number = 0, state = 'Online', id = String(number) } = {},
): string {
  const remote = `${folder}/rport-${h}:0-${number}`
  const path = `${remote}/fc_remote_ports/rport-${h}:0-${number}`
  const attributes = { port_name: `0x${name}\n`, port_state: `${state}\n`, scsi_target_id: `${id}\n` }
  host.device(path, 'fc_remote_ports', attributes)
  host.announce('add', path, { SUBSYSTEM: 'fc_remote_ports' })
  return `${remote}/target${h}:0:${number}`
}

/** The target shows the volume to `scan` under this LUN. */
function showUnit(
  host: RecordedHost,
  { host: h }: Port,
  folder: string,
  lun = 1,
  name = 'sda',
  designator = naa,
): void {
  host.when(new RegExp(`/scsi_host/host${h}/scan$`), (value) => {
    const hctl = `${folder.split('target').at(-1) ?? ''}:${lun}`
    if (`${h}:${value.replaceAll(' ', ':')}` === hctl) host.addUnit({ target: folder, hctl, name, naa: designator })
    return undefined
  })
}

describe('on IBM Z', () => {
  const adapter = '/sys/bus/ccw/drivers/zfcp/0.0.1900'
  const port: Port = { host: 0, folder: '/sys/devices/css0/0.0.0007/0.0.1900/host0', name: 'c05076ffe4803c50' }
  const connector = new FibreChannelConnector({ arch: 's390x' })

  /** An adapter that is told of its units; `shown` are the 8 bytes of the LUN that the target shows. */
  function zfcp(test: TestContext, shown: string, kernelLun: number): { host: RecordedHost; seePort: () => void } {
    const host = new RecordedHost(test)
    const known = new Set<string>()
    let folder = ''
    addPort(host, port)
    host.write(`${adapter}/port_rescan`)
    host.when(/\/unit_add$/, (value) => {
      if (known.has(value)) return 'EEXIST'
      known.add(value)
      if (value === `0x${shown}`) host.addUnit({ target: folder, hctl: `0:0:0:${kernelLun}`, name: 'sda', naa })
      return undefined
    })
    host.when(/\/unit_remove$/, (value) => {
      if (!known.delete(value)) return 'EINVAL'
      host.removeUnit(`0:0:0:${kernelLun}`)
      return undefined
    })
    const seePort = (): void => {
      host.write(`${adapter}/0x${target}/unit_add`)
      host.write(`${adapter}/0x${target}/unit_remove`)
      folder = addRemotePort(host, port)
      showUnit(host, port, folder, kernelLun)
    }
    return { host, seePort }
  }

  const luns: [string, unknown, string, number][] = [
    ['a LUN of one byte', 1, '0001000000000000', 1],
    ['a LUN of one word', 0x4010, '4010000000000000', 0x4010],
    ['a LUN of two words, the first one first', 0x40204065, '4020406500000000', 0x40654020],
  ]
  for (const [name, lun, wire, kernelLun] of luns) {
    it(`the adapter is told of ${name}, and to forget it`, async (test) => {
      const { host, seePort } = zfcp(test, wire, kernelLun)
      seePort()
      const info = await connector.connectVolume({ ...volume, target_lun: lun }, soon)
      assert.deepEqual([info.path, info.scsi_wwn, info.paths[0]?.hctl], ['/dev/sda', wwn, `0:0:0:${kernelLun}`])
      assert.deepEqual(host.written, [`${adapter}/0x${target}/unit_add 0x${wire}`])
      await connector.disconnectVolume({ ...volume, target_lun: lun }, info, soon)
      assert.deepEqual(host.written.slice(1), [
        `/sys/class/scsi_device/0:0:0:${kernelLun}/device/delete 1`,
        `${adapter}/0x${target}/unit_remove 0x${wire}`,
      ])
    })
  }

  it('the adapter is made to look for a port that it does not know', async (test) => {
    const { host, seePort } = zfcp(test, '0001000000000000', 1)
    host.when(/\/port_rescan$/, () => {
      seePort()
      return undefined
    })
    const info = await connector.connectVolume(volume, soon)
    assert.equal(info.path, '/dev/sda')
    assert.equal(host.written[0], `${adapter}/port_rescan 1`)
  })

  it('a unit that the adapter knows and whose device was removed is scanned for', async (test) => {
    const { host, seePort } = zfcp(test, '0001000000000000', 1)
    seePort()
    await connector.connectVolume(volume, soon)
    host.removeUnit('0:0:0:1')
    const info = await connector.connectVolume(volume, soon)
    assert.equal(info.path, '/dev/sda')
    assert.equal(host.written.at(-1), '/sys/class/scsi_host/host0/scan 0 0 1')
  })

  it('a unit that does not come up is forgotten', async (test) => {
    const { host, seePort } = zfcp(test, '0002000000000000', 2)
    seePort()
    await rejects('LUN_NOT_MAPPED', connector.connectVolume(volume, soon))
    assert.equal(host.written.at(-1), `${adapter}/0x${target}/unit_remove 0x0001000000000000`)
  })

  for (const link of [
    `ccw-0.0.1900-zfcp-0x${target}:0x0001000000000000`,
    `ccw-0.0.1900-fc-0x${target}-lun-1`,
    `ccw-0.0.1900-fc-0x${target}-lun-0x0001000000000000`,
  ]) {
    it(`the device goes by the name ${link}`, async (test) => {
      const { host, seePort } = zfcp(test, '0001000000000000', 1)
      seePort()
      await connector.connectVolume(volume, soon)
      host.nameByUdev('sda', link)
      const info = await connector.connectVolume(volume, soon)
      assert.deepEqual([info.path, info.paths[0]?.path], [`/dev/disk/by-path/${link}`, '/dev/sda'])
    })
  }
})

describe('with PCI adapters', () => {
  const pci = '/sys/devices/pci0000:00/0000:00:02.0/0000:05:00.0'
  const port: Port = { host: 3, folder: `${pci}/host3`, name: '100000109b5c0a01' }
  const second: Port = {
    host: 4,
    folder: '/sys/devices/pci0000:00/0000:00:02.0/0000:05:00.1/host4',
    name: '100000109b5c0a02',
  }
  const virtual: Port = { host: 7, folder: `${pci}/host3/vport-3:0-0/host7`, name: 'c05076082d800001' }
  const connector = new FibreChannelConnector({ arch: 'x86_64' })

  it('a device is called what udev calls it, but not what it calls another', async (test) => {
    const host = new RecordedHost(test)
    addPort(host, port)
    showUnit(host, port, addRemotePort(host, port))
    await connector.connectVolume(volume, soon)
    host.nameByUdev('sda', `pci-0000:05:00.0-fc-0x${target}-lun-11`, `pci-0000:05:00.0-fc-0x1${target.slice(1)}-lun-1`)
    assert.equal((await connector.connectVolume(volume, soon)).path, '/dev/sda')
    host.nameByUdev('sda', `pci-0000:05:00.0-fc-0x${target}-lun-1`)
    assert.equal(
      (await connector.connectVolume(volume, soon)).path,
      `/dev/disk/by-path/pci-0000:05:00.0-fc-0x${target}-lun-1`,
    )
  })

  it('a virtual port (NPIV) is one like any other', async (test) => {
    const host = new RecordedHost(test)
    const link = `pci-0000:05:00.0-vport-0x${virtual.name}-fc-0x${target}-lun-1`
    addPort(host, port)
    addPort(host, virtual)
    showUnit(host, virtual, addRemotePort(host, virtual))
    const map = { initiator_target_map: { [virtual.name]: [target] } }
    const first = await connector.connectVolume({ ...volume, ...map }, soon)
    assert.deepEqual(first.paths, [
      { path: '/dev/sda', hctl: '7:0:0:1', portal: `0x${target}`, initiator: `0x${virtual.name}` },
    ])
    host.nameByUdev('sda', link)
    assert.equal((await connector.connectVolume(volume, soon)).path, `/dev/disk/by-path/${link}`)
    await connector.disconnectVolume(volume, first, soon)
    assert.deepEqual(await connector.getVolumePaths(volume), [])
  })

  it('only ports that are up and named are used, and the error says why not', async (test) => {
    const host = new RecordedHost(test)
    addPort(host, port, 'Linkdown')
    addPort(host, second)
    addRemotePort(host, second)
    const map = { [port.name.toUpperCase()]: [target] }
    const error = await rejects(
      'PORTAL_UNREACHABLE',
      connector.connectVolume({ ...volume, initiator_target_map: map }, soon),
    )
    assert.deepEqual(error.details['own'], [
      { host: 'host3', port_name: port.name, state: 'Linkdown', skipped: 'not online' },
      { host: 'host4', port_name: second.name, state: 'Online', skipped: 'not in initiator_target_map' },
    ])
    assert.deepEqual(host.written, [])
  })

  it('a port that is named and down is a path that is missing', async (test) => {
    const host = new RecordedHost(test)
    addPort(host, port, 'Linkdown')
    addPort(host, second)
    showUnit(host, second, addRemotePort(host, second))
    const initiator_target_map = { [port.name]: [target], [second.name]: [target] }
    const several = new FibreChannelConnector({ useMultipath: true })
    const { expected_paths, degraded, failures, paths } = await several.connectVolume(
      { ...volume, initiator_target_map },
      soon,
    )
    assert.deepEqual([expected_paths, degraded, paths.length], [2, true, 1])
    assert.equal(failures[0]?.code, 'MULTIPATH_FAILED')
  })

  it('an adapter that cannot be read does not spoil the others', async (test) => {
    const host = new RecordedHost(test)
    host.device(`${port.folder}/fc_host/host3`, 'fc_host')
    addPort(host, second)
    showUnit(host, second, addRemotePort(host, second))
    assert.equal((await connector.connectVolume(volume, soon)).paths[0]?.hctl, '4:0:0:1')
  })

  it('properties for another host are refused', async (test) => {
    addPort(new RecordedHost(test), port)
    const map = { [second.name]: [target] }
    await rejects('INVALID_ARGUMENT', connector.connectVolume({ ...volume, initiator_target_map: map }, soon))
  })

  it('a host without a port is told so', async (test) => {
    new RecordedHost(test).write('/sys/class/block/x')
    await rejects('NOT_SUPPORTED', connector.connectVolume(volume, soon))
  })

  it('a port that is out of sight is waited for', async (test) => {
    const host = new RecordedHost(test)
    addPort(host, port)
    const attached = connector.connectVolume(volume, { timeout: 10_000 })
    setImmediate(() => {
      showUnit(host, port, addRemotePort(host, port, { number: 5 }))
    })
    assert.equal((await attached).paths[0]?.hctl, '3:0:5:1')
  })

  it('a target that the kernel has made says where a port is that does not', async (test) => {
    const host = new RecordedHost(test)
    addPort(host, port)
    const folder = addRemotePort(host, port, { number: 2, id: '-1' })
    host.device(`${folder}/fc_transport/target3:0:2`, 'fc_transport', { port_name: `0x${target}\n` })
    showUnit(host, port, folder)
    assert.equal((await connector.connectVolume(volume, soon)).paths[0]?.hctl, '3:0:2:1')
  })

  describe('and a port that nobody knows', () => {
    const named = { ...volume, wwn }

    function unknownPort(test: TestContext): RecordedHost {
      const host = new RecordedHost(test)
      addPort(host, port)
      const [foreign, right] = [0, 1].map((number) =>
        addRemotePort(host, port, { name: `500507630300c56${number}`, number }),
      )
      showUnit(host, port, foreign ?? '', 1, 'sda', naa.replace('11', '99'))
      showUnit(host, port, right ?? '', 1, 'sdb')
      return host
    }

    it('the volume is found by its name behind another, and nothing else stays', async (test) => {
      const host = unknownPort(test)
      const info = await connector.connectVolume(named, soon)
      assert.deepEqual([info.path, info.paths[0]?.portal], ['/dev/sdb', '0x500507630300c561'])
      assert.deepEqual(host.written, [
        '/sys/class/scsi_host/host3/scan 0 0 1',
        '/sys/class/scsi_device/3:0:0:1/device/delete 1',
        '/sys/class/scsi_host/host3/scan 0 1 1',
      ])
    })

    it('it is not looked for when that is forbidden, or when nothing could tell it', async (test) => {
      const host = unknownPort(test)
      await rejects('PORTAL_UNREACHABLE', connector.connectVolume({ ...named, enable_wildcard_scan: false }, soon))
      await rejects('PORTAL_UNREACHABLE', connector.connectVolume(volume, soon))
      assert.deepEqual(host.written, [])
    })
  })
})

it('on Power the name lacks the device', async (test) => {
  const host = new RecordedHost(test)
  const port: Port = { host: 1, folder: '/sys/devices/vio/30000004/host1', name: 'c0507606d56e0012' }
  const connector = new FibreChannelConnector({ arch: 'ppc64le' })
  addPort(host, port)
  showUnit(host, port, addRemotePort(host, port))
  await connector.connectVolume(volume, soon)
  host.nameByUdev('sda', `fc-0x${target}-lun-1`)
  assert.equal((await connector.connectVolume(volume, soon)).path, `/dev/disk/by-path/fc-0x${target}-lun-1`)
})

describe('arguments', () => {
  for (const arch of ['', 1, null, {}]) {
    it(`an architecture cannot be ${JSON.stringify(arch)}`, () => {
      assert.throws(() => new FibreChannelConnector({ arch: arch as string }), { code: 'INVALID_ARGUMENT' })
    })
  }

  for (const [name, given] of [
    ['nothing', undefined],
    ['a name that is none', { target_wwn: 'x', target_lun: 1 }],
    ['a LUN that does not fit', { ...volume, target_lun: 2 ** 32 }],
  ] as const) {
    it(`of every call: ${name} is refused before anything is touched`, async (test) => {
      const host = new RecordedHost(test)
      const connector = new FibreChannelConnector({ arch: 's390x' })
      await rejects('INVALID_ARGUMENT', connector.connectVolume(given))
      await rejects('INVALID_ARGUMENT', connector.disconnectVolume(given))
      await rejects('INVALID_ARGUMENT', connector.extendVolume(given))
      await rejects('INVALID_ARGUMENT', connector.getVolumePaths(given))
      assert.deepEqual(host.written, [])
    })
  }
})

async function rejects(code: ErrorCode, call: Promise<unknown>): Promise<BrickError> {
  const error: unknown = await call.then(
    (value) => assert.fail(`it succeeded: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  assert.equal(error instanceof BrickError && error.code, code, String(error))
  return error as BrickError
}
