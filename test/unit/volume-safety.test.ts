/** What must not be touched: other volumes, what is not written yet, and the work of others. On recorded hosts. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { binding } from '../../lib/binding.ts'
import type { Binding, Identification } from '../../lib/binding.ts'
import { FibreChannelConnector, ISCSIConnector } from '../../lib/index.ts'
import { frame } from '../../lib/multipath/daemon.ts'
import { withTarget } from './fake-target.ts'
import { RecordedHost } from './recorded-host.ts'

const limit = { timeout: 20_000 }
const [ours, another] = ['6001405aaaaaaaaaaaaaaaaaaaaaaaaa', '6001405bbbbbbbbbbbbbbbbbbbbbbbbb']
const ports = ['500507630300c561', '500507630300c562'] as const
const hostFolder = '/sys/devices/pci0000:00/0000:00:02.0/host0'
const mapFolder = '/sys/devices/virtual/block/dm-0'

const replace = (t: TestContext, verb: keyof Binding, as: (...given: never[]) => unknown): void => {
  t.mock.method(binding(), verb, as as never)
}
/** A map of one path, 8:16, that works. */
const mapState = {
  uuid: `mpath-3${ours}`,
  suspended: false,
  table: [{ type: 'multipath', parameters: '0 0 1 1 service-time 0 1 1 8:16 1 ' }],
  status: [{ type: 'multipath', parameters: '2 0 0 0 1 1 A 0 1 0 8:16 A 0 ' }],
}
const answer = (value: unknown): object => ({ number: 0, result: Promise.resolve(value) })
const failure = (errno: number, syscall: string): Error => Object.assign(new Error('no'), { errno, syscall, path: '' })

/** Two Fibre Channel ports of one backend; sda and sdb, behind them, are one volume. */
function fibreChannelHost(t: TestContext): RecordedHost {
  const host = new RecordedHost(t)
  const name = '0x10000000c9000001\n'
  host.device(`${hostFolder}/fc_host/host0`, 'fc_host', { port_name: name, node_name: name, port_state: 'Online\n' })
  host.device(`${hostFolder}/scsi_host/host0`, 'scsi_host', { scan: '' })
  for (const [number, port] of ports.entries()) {
    const remote = `rport-0:0-${number}`
    host.device(`${hostFolder}/${remote}/fc_remote_ports/${remote}`, 'fc_remote_ports', {
      port_name: `0x${port}\n`,
      port_state: 'Online\n',
      scsi_target_id: `${number}\n`,
    })
    host.addUnit(unit(number, ours))
  }
  return host
}

const unit = (number: number, naa: string) => ({
  target: `${hostFolder}/rport-0:0-${number}/target0:0:${number}`,
  hctl: `0:0:${number}:1`,
  name: ['sda', 'sdb'][number] ?? '',
  naa,
})

function addMap(host: RecordedHost, ...slaves: readonly string[]): void {
  host.device(mapFolder, 'block', {
    uevent: 'MAJOR=253\nMINOR=0\nDEVNAME=dm-0\nDEVTYPE=disk\nDISKSEQ=9\n',
    size: '131072',
    ro: '0',
    'dm/name': 'mpatha\n',
    'dm/uuid': `mpath-3${ours}\n`,
    'dm/suspended': '0\n',
  })
  for (const slave of slaves) host.write(`${mapFolder}/slaves/${slave}`, '')
}

/**
 * A multipathd that takes its map down when it is told, and says ok to everything but commands that begin with two of these
 * words. Returns what it was told.
 */
function playMultipathd(t: TestContext, host: RecordedHost, answers: Readonly<Record<string, string>> = {}): string[] {
  const told: string[] = []
  replace(t, 'exchange', (_listeners: unknown, request: Buffer) => {
    const command = request.toString('utf8', 8, request.length - 1)
    told.push(command)
    const own = answers[command.split(' ', 2).join(' ')]
    if (own !== undefined) return answer(frame(`${own}\n`))
    if (command.startsWith('del map')) {
      host.remove('/sys/class/block/dm-0')
      host.remove(mapFolder)
      host.announce('remove', mapFolder, { SUBSYSTEM: 'block', DEVNAME: 'dm-0' })
    }
    return answer(frame('ok\n'))
  })
  return told
}

/** Two Fibre Channel ports as above with a map, which works, of these disks; and what is flushed. */
function mappedHost(t: TestContext, ...slaves: readonly string[]): { host: RecordedHost; flushed: string[] } {
  const host = fibreChannelHost(t)
  addMap(host, ...slaves)
  playMultipathd(t, host)
  replace(t, 'mapState', () => answer(mapState))
  const flushed: string[] = []
  replace(t, 'flushDevice', (_lane: string, path: string) => answer(flushed.push(path)))
  return { host, flushed }
}

/** Detaches the volume behind both ports. */
const detachAll = (): Promise<void> =>
  new FibreChannelConnector({ useMultipath: true }).disconnectVolume({ target_wwn: ports, target_lun: 1 })

/** Which volume each disk says now that it is, whatever the kernel noted; with null its target shows no unit any more. */
function playUnits(t: TestContext, units: Readonly<Record<string, string | undefined | null>>): void {
  replace(t, 'identify', (_lane: string, path: string) => answer(identification(units[path])))
  replace(t, 'designatorsIfRunning', (_lane: string, path: string) =>
    answer(identification(units[path]).page83 ?? Buffer.alloc(0)),
  )
}

const identification = (naa: string | undefined | null): Identification => ({
  standard: Buffer.concat([
    Buffer.from([naa === null ? 0x7f : 0, 0, 6, 2, 31, 0, 0, 0]),
    Buffer.from('IBM     2107900         1.00'),
  ]),
  page83:
    typeof naa === 'string'
      ? Buffer.concat([Buffer.from([0, 0x83, 0, 20, 1, 3, 0, 16]), Buffer.from(naa, 'hex')])
      : null,
  page80: null,
})

const serialPage = (serial: string): Buffer =>
  Buffer.concat([Buffer.from([0, 0x80, 0, serial.length]), Buffer.from(serial)])

function addSession(host: RecordedHost, id: number, iqn: string, address: string): string {
  const folder = `/sys/devices/platform/host${id}`
  const connection = `${folder}/session${id}/connection${id}:0/iscsi_connection/connection${id}:0`
  host.device(`${folder}/scsi_host/host${id}`, 'scsi_host', { proc_name: 'iscsi_tcp\n', scan: '' })
  host.device(`${folder}/session${id}/iscsi_session/session${id}`, 'iscsi_session', {
    targetname: `${iqn}\n`,
    state: 'LOGGED_IN\n',
    target_id: '0\n',
    ifacename: 'default\n',
  })
  host.device(connection, 'iscsi_connection', {
    persistent_address: `${address}\n`,
    persistent_port: '3260\n',
    address: `${address}\n`,
    port: '3260\n',
  })
  return `${folder}/session${id}/target${id}:0:0`
}

describe('a detach', limit, () => {
  it('refuses a disk that is in use beside the map that has the other', async (t) => {
    const { host, flushed } = mappedHost(t, 'sdb')
    replace(t, 'heldExclusively', (_lane: string, path: string) => answer(path === '/dev/sda'))
    await assert.rejects(detachAll(), { code: 'DEVICE_IN_USE', details: { device: '/dev/sda' } })
    assert.deepEqual([flushed, host.written], [[], []])
  })

  it('takes no offence at a disk that comes into the map meanwhile', async (t) => {
    const { host } = mappedHost(t, 'sdb')
    replace(t, 'heldExclusively', (_lane: string, path: string) => {
      host.write(`${hostFolder}/rport-0:0-0/target0:0:0/0:0:0:1/block/sda/holders/dm-0`)
      return answer(path === '/dev/sda')
    })
    await detachAll()
    assert.equal(host.written.length, 2)
  })

  it('does not wait for a disk out of reach beside the map', async (t) => {
    const { host } = mappedHost(t, 'sdb')
    replace(t, 'heldExclusively', () => answer(false))
    host.write(`${hostFolder}/rport-0:0-0/target0:0:0/0:0:0:1/state`, 'blocked\n')
    await detachAll()
    const said = host.written.map((line) => line.replace(/^.*scsi_device/, '').trim())
    assert.ok(said.includes('/0:0:0:1/device/state offline') && said.includes('/0:0:0:1/device/delete 1'))
  })

  for (const [name, [first, second], expected] of [
    ['flushes a map of which the target shows one disk no more', [ours, null], ['/dev/dm-0']],
    ['flushes no map of which one disk is another volume now', [ours, another], []],
    ['flushes no map of which the target shows no disk any more, and goes on', [null, null], []],
  ] as const)
    it(name, async (t) => {
      const { host, flushed } = mappedHost(t, 'sda', 'sdb')
      playUnits(t, { '/dev/sda': first, '/dev/sdb': second })
      await detachAll()
      assert.deepEqual(flushed, expected)
      assert.equal(host.written.filter((line) => line.endsWith('/delete 1')).length, 2)
    })

  it('throws nothing away of a disk that does not say which volume it is', async (t) => {
    const host = fibreChannelHost(t)
    host.removeUnit('0:0:1:1')
    host.remove(`${hostFolder}/rport-0:0-0/target0:0:0/0:0:0:1/vpd_pg83`)
    const detach = (force: boolean): Promise<void> =>
      new FibreChannelConnector().disconnectVolume({ target_wwn: ports[0], target_lun: 1 }, undefined, { force })
    await assert.rejects(detach(false), { code: 'IDENTITY_MISMATCH', message: /does not say/ })
    assert.equal(host.written.length, 0)
    await assert.rejects(detach(true), { code: 'IDENTITY_MISMATCH' })
    assert.match(host.written.at(-1) ?? '', /0:0:0:1\/device\/delete 1$/)
  })

  it('asks a unit without a world-wide name for all that it says, and goes by its serial number', async (t) => {
    const host = fibreChannelHost(t)
    host.removeUnit('0:0:1:1')
    const answers = identification(undefined)
    const folder = `${hostFolder}/rport-0:0-0/target0:0:0/0:0:0:1`
    const flushed: string[] = []
    replace(t, 'flushDevice', (_lane: string, path: string) => answer(flushed.push(path)))
    replace(t, 'designatorsIfRunning', () => answer(Buffer.alloc(0)))
    const detachOf = async (serial: string): Promise<readonly string[]> => {
      host.remove(`${folder}/vpd_pg83`)
      host.write(`${folder}/vpd_pg80`, serialPage('A001'))
      host.write(`${folder}/inquiry`, answers.standard ?? '')
      replace(t, 'identify', () => answer({ ...answers, page80: serialPage(serial) }))
      await new FibreChannelConnector().disconnectVolume({ target_wwn: ports[0], target_lun: 1 })
      return flushed
    }
    assert.deepEqual(await detachOf('B002'), [])
    host.addUnit(unit(0, ours))
    assert.deepEqual(await detachOf('A001'), ['/dev/sda'])
  })

  it('leaves a disk that comes to the place of its own, and its session', async (t) => {
    const host = new RecordedHost(t)
    const iqn = 'iqn.2026-11.test:x'
    const place = { target: addSession(host, 3, iqn, '10.0.1.1'), hctl: '3:0:0:0', name: 'sdb' }
    host.addUnit({ ...place, naa: ours })
    host.write('/etc/iscsi/initiatorname.iscsi', 'InitiatorName=iqn.2026-11.test:host\n')
    replace(t, 'flushDevice', () => {
      host.removeUnit(place.hctl)
      host.addUnit({ ...place, naa: another })
      return answer(undefined)
    })
    const exchange = t.mock.method(binding(), 'exchange')
    const volume = { target_portal: '10.0.1.1:3260', target_iqn: iqn, target_lun: 0 }
    await assert.rejects(new ISCSIConnector().disconnectVolume(volume), { code: 'IDENTITY_MISMATCH', step: 'delete' })
    assert.deepEqual([host.written, exchange.mock.callCount()], [[], 0])
  })

  it('does without a host name that cannot be looked up', async (t) => {
    const host = new RecordedHost(t)
    const iqn = 'iqn.2026-11.test:x'
    host.addUnit({ target: addSession(host, 3, iqn, '10.0.1.1'), hctl: '3:0:0:0', name: 'sdb', naa: ours })
    const eagain = -11
    replace(t, 'resolveHost', () => ({ number: 0, result: Promise.reject(failure(eagain, 'getaddrinfo')) }))
    const portals = {
      target_portals: ['10.0.1.1:3260', 'storage.invalid:3260'],
      target_iqns: [iqn, iqn],
      target_luns: [0, 0],
    }
    const paths = await new ISCSIConnector().getVolumePaths(portals)
    assert.deepEqual(paths, ['/dev/sdb'])
    // What fails is the logout, as no iscsid runs here.
    await assert.rejects(new ISCSIConnector().disconnectVolume(portals), { step: 'logout' })
    assert.deepEqual(host.written, ['/sys/class/scsi_device/3:0:0:0/device/delete 1'])
  })
})

describe('an attach', limit, () => {
  for (const [others, rest] of Object.entries({ 'its other disks': ours, 'a disk that says nothing': undefined }))
    it(`takes its disk out of another volume's map, and leaves that to ${others}`, async (t) => {
      const host = fibreChannelHost(t)
      addMap(host, 'sda', 'sdb')
      const told = playMultipathd(t, host)
      // sda is another volume now, of which the kernel has not heard.
      playUnits(t, { '/dev/sda': another, '/dev/sdb': rest })
      host.when(/\/scsi_host\/host0\/scan$/, () => {
        host.addUnit(unit(0, another))
        return undefined
      })
      const info = await new FibreChannelConnector().connectVolume({ target_wwn: ports[0], target_lun: 1 })
      assert.deepEqual([info.path, info.scsi_wwn], ['/dev/sda', `3${another}`])
      assert.deepEqual(told, ['del path sda'])
    })

  for (const [kind, features, expected] of [
    ['does not queue', '0', []],
    ['queues', '1 queue_if_no_path', ['fail_if_no_path', 'queue_if_no_path']],
  ] as const)
    it(`leaves a leftover map that ${kind} as it was when somebody has it open`, async (t) => {
      const host = fibreChannelHost(t)
      addMap(host, 'sda')
      playMultipathd(t, host, { 'del map': 'fail\nmap or partition in use' })
      playUnits(t, { '/dev/sda': another })
      replace(t, 'heldExclusively', () => answer(false))
      const table = [{ type: 'multipath', parameters: `${features} 0 1 1 service-time 0 1 1 8:16 1 ` }]
      replace(t, 'mapState', () => answer({ ...mapState, table }))
      const messages: string[] = []
      replace(t, 'messageMap', (_lane: string, _map: string, message: string) => answer(messages.push(message)))
      const abandon = t.mock.method(binding(), 'abandon')
      const volume = { target_wwn: ports[0], target_lun: 1 }
      await assert.rejects(new FibreChannelConnector().connectVolume(volume, { timeout: 2000 }), { code: 'TIMEOUT' })
      // The call's time is up by then: what it still says must not be given up with it.
      assert.deepEqual([messages, abandon.mock.callCount()], [expected, 0])
    })

  it('that fails leaves the map of a volume that gets the name of its disk', async (t) => {
    const host = fibreChannelHost(t)
    for (const hctl of ['0:0:0:1', '0:0:1:1']) host.removeUnit(hctl)
    const told = playMultipathd(t, host, { 'add path': 'blacklisted' })
    host.when(/\/scsi_host\/host0\/scan$/, () => {
      host.addUnit(unit(0, another))
      return undefined
    })
    host.when(/\/0:0:0:1\/device\/delete$/, () => {
      host.addUnit({ ...unit(1, ours), name: 'sda' })
      addMap(host, 'sda')
      return undefined
    })
    const attach = new FibreChannelConnector({ useMultipath: true, enforceMultipath: true }).connectVolume({
      target_wwn: ports[0],
      target_lun: 1,
    })
    await assert.rejects(attach, { code: 'MULTIPATH_FAILED' })
    assert.deepEqual(told, ['show daemon', 'add path sda'])
    assert.match(host.written.at(-1) ?? '', /0:0:0:1\/device\/delete 1$/)
  })

  for (const obeys of [true, false])
    it(`${obeys ? 'has a disk leave' : 'refuses'} a map in which it is another volume now`, async (t) => {
      const host = fibreChannelHost(t)
      host.addUnit({ ...unit(1, ours), hctl: '0:0:1:2', name: 'sdc' })
      addMap(host, 'sda', 'sdb', 'sdc')
      for (const disk of ['sda', 'sdb', 'sdc']) host.write(`/sys/class/block/${disk}/holders/dm-0`)
      const told = playMultipathd(t, host)
      const addon = binding()
      const [exchange, deviceFacts] = [addon.exchange.bind(addon), addon.deviceFacts.bind(addon)]
      const facts = { size: 2 ** 40, major: 253, minor: 0, diskSequence: 9, logicalBlock: 512, readOnly: false }
      replace(t, 'deviceFacts', (lane: string, path: string) =>
        path === '/dev/dm-0' ? answer(facts) : deviceFacts(lane, path),
      )
      t.mock.method(binding(), 'exchange', (...given: Parameters<typeof exchange>) => {
        if (obeys && given[1].includes('del path sdc')) host.remove(`${mapFolder}/slaves/sdc`)
        return exchange(...given)
      })
      playUnits(t, { '/dev/sda': ours, '/dev/sdb': ours, '/dev/sdc': another })
      replace(t, 'mapState', () => answer(mapState))
      const connector = new FibreChannelConnector({ useMultipath: true })
      const attach = connector.connectVolume({ target_wwn: ports, target_lun: 1 }, { ready: 'all' })
      if (obeys) assert.equal((await attach).path, '/dev/dm-0')
      else
        await assert.rejects(attach, { code: 'IDENTITY_MISMATCH', details: { device: '/dev/dm-0', disk: '/dev/sdc' } })
      assert.deepEqual(
        told.filter((command) => command.startsWith('del')),
        ['del path sdc'],
      )
    })

  it('waits for no disk of a unit that is only the place of one, and removes it', async (t) => {
    const host = fibreChannelHost(t)
    host.removeUnit('0:0:0:1')
    const place = '/sys/class/scsi_device/0:0:0:1'
    host.when(/\/scsi_host\/host0\/scan$/, () => {
      host.write(`${place}/device/state`, 'running\n')
      host.write(`${place}/device/inquiry`, Buffer.from([0x20]))
      host.write(`${place}/device/delete`)
      return undefined
    })
    host.when(/\/0:0:0:1\/device\/delete$/, () => {
      host.remove(place)
      return undefined
    })
    const volume = { target_wwn: ports[0], target_lun: 1 }
    await assert.rejects(new FibreChannelConnector().connectVolume(volume, { timeout: 4000 }), {
      code: 'LUN_NOT_MAPPED',
    })
    assert.deepEqual(host.written, ['/sys/class/scsi_host/host0/scan 0 0 1', `${place}/device/delete 1`])
  })

  for (const ready of ['first', 'all'] as const) {
    it(`takes no other target's volume for its own when its own portal is down; ready: ${ready}`, async (t) => {
      const host = new RecordedHost(t)
      host.write('/etc/iscsi/initiatorname.iscsi', 'InitiatorName=iqn.2026-11.test:host\n')
      const [named, other] = ['iqn.2026-11.test:x', 'iqn.2026-11.test:y']
      host.addUnit({ target: addSession(host, 3, other, '10.0.1.1'), hctl: '3:0:0:0', name: 'sdb', naa: another })
      const refused = -111
      replace(t, 'exchange', (listeners: readonly object[]) =>
        'port' in (listeners[0] ?? {})
          ? { number: 0, result: Promise.reject(failure(refused, 'connect')) }
          : answer(frame('ok\n')),
      )
      const attach = (portal: string): Promise<unknown> => {
        const volume = { target_portal: portal, target_iqn: named, target_lun: 0 }
        return new ISCSIConnector({ useMultipath: true }).connectVolume(volume, { ready, timeout: 8000 })
      }
      const targets = (portal: string): string =>
        `TargetName=${named}\0TargetAddress=${portal},1\0TargetName=${other}\0TargetAddress=10.0.1.1:3260,2\0`
      await withTarget(
        async (peer, portal) => {
          await peer.letIn()
          peer.answer({ text: targets(portal) })
        },
        async (portal) => {
          await assert.rejects(attach(portal), { code: 'PORTAL_UNREACHABLE' })
        },
      )
      assert.deepEqual(host.written, [])
    })
  }
})
