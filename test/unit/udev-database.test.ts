import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { binding } from '../../lib/binding.ts'
import type { Binding } from '../../lib/binding.ts'
import { parseUdevEntry, readUdevEntry } from '../../lib/udev/database.ts'
import { whenHandled } from '../../lib/udev/handled.ts'

// As systemd 252 writes it.
const text = `S:disk/by-id/scsi-36001405e2d9b3ce3
S:disk/by-path/ip-10.0.0.1:3260-iscsi-iqn.2010-10.org.openstack:volume-1-lun-1
L:0
I:3187432341
E:ID_SERIAL=36001405e2d9b3ce3
E:ID_FS_LABEL=
E:ID_PART_ENTRY_NAME=a=b
E:DEVLINKS
E:=nameless
E:ID_MODEL=S:disk
G:systemd
Q:systemd
V:1
`

describe("an entry of udevd's database", () => {
  it('has links and properties', () => {
    const { initialized, links, properties } = parseUdevEntry(text)
    assert.equal(initialized, 3_187_432_341)
    assert.deepEqual(links, [
      'disk/by-id/scsi-36001405e2d9b3ce3',
      'disk/by-path/ip-10.0.0.1:3260-iscsi-iqn.2010-10.org.openstack:volume-1-lun-1',
    ])
    assert.deepEqual(Object.fromEntries(properties), {
      ID_SERIAL: '36001405e2d9b3ce3',
      ID_FS_LABEL: '',
      ID_PART_ENTRY_NAME: 'a=b',
      ID_MODEL: 'S:disk',
    })
  })

  for (const empty of ['', '\n', 'V:1\n', 'E:\nE\nS\n', 'garbage\0\n']) {
    it(`may say nothing: ${JSON.stringify(empty)}`, () => {
      const { initialized, links, properties } = parseUdevEntry(empty)
      assert.deepEqual([initialized, links, properties.size], [0, [], 0])
    })
  }

  it('is missing for a device that udevd does not know', async () => {
    assert.equal(await readUdevEntry('4095:1048575', new AbortController().signal), undefined)
  })

  it('is not waited for when the signal has fired', async () => {
    const reason = new Error('enough')
    await assert.rejects(readUdevEntry('1:3', AbortSignal.abort(reason)), (error) => error === reason)
  })
})

describe('a device', () => {
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  it('is not handled while the entry is that of one which had its number before', async (test) => {
    // Only an event is to be a reason for another look.
    test.mock.timers.enable({ apis: ['setTimeout'] })
    let sequence = 1
    let tell = (): void => undefined
    const open: Binding['openMonitor'] = (_group, receive) => {
      tell = () => {
        receive(['DEVNAME=/dev/sda\0'], false, null)
      }
      return { only: () => undefined, lookAtNext: () => undefined, close: () => undefined }
    }
    const answer = (value: unknown): object => ({ result: Promise.resolve(value), number: 0 })
    test.mock.method(binding(), 'openMonitor', open)
    test.mock.method(binding(), 'listDirectory', () => answer(['control', 'data']))
    test.mock.method(binding(), 'readFiles', () => answer([Buffer.from(`S:disk/by-diskseq/${sequence}\nI:7\n`)]))
    let handled = false
    const facts = { major: 8, minor: 0, diskSequence: 2 }
    const waiting = whenHandled({ path: '/dev/sda', facts }, new AbortController().signal).then(() => {
      handled = true
    })
    await settle()
    tell()
    await settle()
    assert.equal(handled, false)
    sequence = 2
    tell()
    await waiting
  })
})
