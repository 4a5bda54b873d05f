/** What must not be touched: other volumes, what is not written yet, and the work of others. On recorded hosts. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { binding } from '../../lib/binding.ts'
import type { Binding } from '../../lib/binding.ts'
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

/** A multipathd that takes its map down when it is told, and says ok to everything. Returns what it was told. */
function playMultipathd(t: TestContext, host: RecordedHost): string[] {
  const told: string[] = []
  replace(t, 'exchange', (_listeners: unknown, request: Buffer) => {
    const command = request.toString('utf8', 8, request.length - 1)
    told.push(command)
    if (command.startsWith('del map')) {
      host.remove('/sys/class/block/dm-0')
      host.remove(mapFolder)
      host.announce('remove', mapFolder, { SUBSYSTEM: 'block', DEVNAME: 'dm-0' })
    }
    return answer(frame('ok\n'))
  })
  return told
}

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
    const host = fibreChannelHost(t)
    addMap(host, 'sdb')
    playMultipathd(t, host)
    const flushed: string[] = []
    replace(t, 'heldExclusively', (_lane: string, path: string) => answer(path === '/dev/sda'))
    replace(t, 'flushDevice', (_lane: string, path: string) => answer(flushed.push(path)))
    const detach = new FibreChannelConnector({ useMultipath: true }).disconnectVolume({
      target_wwn: ports,
      target_lun: 1,
    })
    await assert.rejects(detach, { code: 'DEVICE_IN_USE', details: { device: '/dev/sda' } })
    assert.deepEqual([flushed, host.written], [[], []])
  })

  it('takes no offence at a disk that comes into the map meanwhile', async (t) => {
    const host = fibreChannelHost(t)
    addMap(host, 'sdb')
    playMultipathd(t, host)
    replace(t, 'mapState', () => answer(mapState))
    replace(t, 'flushDevice', () => answer(undefined))
    replace(t, 'heldExclusively', (_lane: string, path: string) => {
      host.write(`${hostFolder}/rport-0:0-0/target0:0:0/0:0:0:1/block/sda/holders/dm-0`)
      return answer(path === '/dev/sda')
    })
    await new FibreChannelConnector({ useMultipath: true }).disconnectVolume({ target_wwn: ports, target_lun: 1 })
    assert.equal(host.written.length, 2)
  })

  it('does not wait for a disk out of reach beside the map', async (t) => {
    const host = fibreChannelHost(t)
    addMap(host, 'sdb')
    playMultipathd(t, host)
    replace(t, 'mapState', () => answer(mapState))
    replace(t, 'flushDevice', () => answer(undefined))
    replace(t, 'heldExclusively', () => answer(false))
    host.write(`${hostFolder}/rport-0:0-0/target0:0:0/0:0:0:1/state`, 'blocked\n')
    await new FibreChannelConnector({ useMultipath: true }).disconnectVolume({ target_wwn: ports, target_lun: 1 })
    const said = host.written.map((line) => line.replace(/^.*scsi_device/, '').trim())
    assert.ok(said.includes('/0:0:0:1/device/state offline') && said.includes('/0:0:0:1/device/delete 1'))
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
      const page = (naa: string | undefined): Buffer | null =>
        naa === undefined ? null : Buffer.concat([Buffer.from([0, 0x83, 0, 20, 1, 3, 0, 16]), Buffer.from(naa, 'hex')])
      const standard = Buffer.concat([
        Buffer.from([0, 0, 6, 2, 31, 0, 0, 0]),
        Buffer.from('IBM     2107900         1.00'),
      ])
      const identify = (_lane: string, path: string): object =>
        answer({ standard, page83: page(path === '/dev/sda' ? another : rest), page80: null })
      replace(t, 'identify', identify)
      replace(t, 'identifyRunning', identify)
      host.when(/\/scsi_host\/host0\/scan$/, () => {
        host.addUnit(unit(0, another))
        return undefined
      })
      const info = await new FibreChannelConnector().connectVolume({ target_wwn: ports[0], target_lun: 1 })
      assert.deepEqual([info.path, info.scsi_wwn], ['/dev/sda', `3${another}`])
      assert.deepEqual(told, ['del path sda'])
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
