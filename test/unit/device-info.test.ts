import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { readDeviceInfo } from '../../lib/properties/device-info.ts'

const wwn = '36001405e2d9b3ce3a2a4f7d9f9a2c1b7'

const ours = {
  type: 'block',
  path: '/dev/sda',
  scsi_wwn: wwn,
  paths: [{ path: '/dev/sda', hctl: '2:0:0:1', portal: '10.0.0.1:3260' }],
  expected_paths: 1,
  degraded: false,
  identity: { source: 'vpd', value: wwn, devno: '8:0', diskseq: 9 },
  size: 1 << 30,
  timings: { total: 12.5 },
}

/** What Nova gives to disconnect_volume: the connection data, with what it noted of the device. */
const nova = {
  target_discovered: false,
  target_portal: '10.0.0.1:3260',
  target_iqn: 'iqn.2010-10.org.openstack:volume-1',
  target_lun: 1,
  auth_password: 'secret',
  device_path: '/dev/sda',
  qos_specs: null,
}

const cases: [string, unknown, string | undefined][] = [
  ['ours', ours, wwn],
  ['ours, after a round trip', JSON.parse(JSON.stringify(ours)), wwn],
  ["os-brick's", { type: 'block', path: '/dev/sda', scsi_wwn: wwn }, wwn],
  ["os-brick's with multipath", { type: 'block', path: '/dev/dm-0', scsi_wwn: wwn, multipath_id: wwn }, wwn],
  ["os-brick's of a device without a name", { type: 'block', path: '/dev/sda', scsi_wwn: '' }, undefined],
  ["Nova's connection data", nova, undefined],
  ["Nova's over Fibre Channel", { ...nova, multipath_id: wwn }, wwn],
  ['the identity before anything else', { scsi_wwn: 'x', identity: { value: wwn } }, wwn],
  ['an identity of null', { scsi_wwn: wwn, identity: null }, wwn],
  ['an identity without a value', { scsi_wwn: wwn, identity: { value: null } }, wwn],
  ['an identity that is none', { scsi_wwn: wwn, identity: 'x' }, wwn],
  ['a name that is no text', { scsi_wwn: 5 }, undefined],
  ['a path and no more', { path: '/dev/sda' }, undefined],
  ['nothing in it', {}, undefined],
  ['None', null, undefined],
  ['nothing', undefined, undefined],
]

describe('readDeviceInfo', () => {
  for (const [name, given, expected] of cases) {
    it(`reads ${name}`, () => {
      const before = structuredClone(given)
      assert.equal(readDeviceInfo(given).wwn, expected)
      assert.deepEqual(given, before)
    })
  }

  const paths: [string, unknown, string | undefined, string | undefined][] = [
    ['that it has', { path: '/dev/sda', device_path: '/dev/sdb' }, '/dev/sdc', '/dev/sda'],
    ['that Nova noted in it', nova, '/dev/sdc', '/dev/sda'],
    ['that the properties have', {}, '/dev/sdc', '/dev/sdc'],
    ['that the properties have, without a device info', null, '/dev/sdc', '/dev/sdc'],
    ['in place of an empty one', { path: '', device_path: null }, '/dev/sdc', '/dev/sdc'],
    ['that nobody has', undefined, undefined, undefined],
  ]
  for (const [name, given, devicePath, expected] of paths) {
    it(`takes the path ${name}`, () => {
      assert.equal(readDeviceInfo(given, devicePath).path, expected)
    })
  }

  for (const given of ['/dev/sda', JSON.stringify(nova), '', 0, 1, true, 5n, Symbol('x'), () => undefined]) {
    it(`refuses ${inspect(given)}`, () => {
      assert.throws(() => readDeviceInfo(given), {
        name: 'BrickError',
        code: 'INVALID_ARGUMENT',
        message: `deviceInfo: expected what connectVolume returned, got '${typeof given}'`,
        details: { field: 'deviceInfo', value: `'${typeof given}'` },
      })
    })
  }
})
