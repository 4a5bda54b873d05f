import assert from 'node:assert/strict'
import { it } from 'node:test'
import { removePath } from '../../lib/scsi/paths.ts'
import { RecordedHost } from './recorded-host.ts'

const hctl = '0:0:0:1'
const target = '/sys/devices/target0:0:0'
const never = new AbortController().signal

/** What this host knew of a disk: the first that came has number 1. */
const known = (name: string, sequence: number) => ({
  unit: { hctl, host: 0 },
  disk: { name, path: `/dev/${name}` },
  lun: 1,
  sysfs: '/sys/devices',
  session: null,
  remotePort: null,
  noted: null,
  sequence,
  holders: [],
})

it('A path is removed; one that has gone already is none any more', async (test) => {
  const host = new RecordedHost(test)
  host.addUnit({ target, hctl, name: 'sda', naa: '6005076303ffc0000000000000000001' })
  await removePath(known('sda', 1), never)
  assert.deepEqual(host.written, [`/sys/class/scsi_device/${hctl}/device/delete 1`])
  await removePath(known('sda', 1), never)
  assert.equal(host.written.length, 1)
})

for (const name of ['sda', 'sdb']) {
  it(`A path is not removed when another disk, ${name}, is at its place`, async (test) => {
    const host = new RecordedHost(test)
    host.addUnit({ target, hctl, name: 'sda', naa: '6005076303ffc0000000000000000001' })
    host.removeUnit(hctl)
    host.addUnit({ target, hctl, name, naa: '6005076303ffc0000000000000000002' })
    await assert.rejects(removePath(known('sda', 1), never), { code: 'IDENTITY_MISMATCH' })
    assert.deepEqual(host.written, [])
  })
}
