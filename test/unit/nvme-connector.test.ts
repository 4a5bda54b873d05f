/** NVMeOFConnector below the native seam: what others do to controllers and namespaces at the same time. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { discoverNvmeSubsystems, NVMeOFConnector } from '../../lib/index.ts'
import { failure, listOf, namesOf, namespaceOf, RecordedNvme, refused } from './recorded-nvme.ts'

const nqn = 'nqn.2026-11.test:subsystem'
const uuid = '9a0d35d0-6a11-4b60-9b2c-0d5f2f4f9f63'
const otherUuid = '0b1c35d0-6a11-4b60-9b2c-0d5f2f4f9f64'
const volume = { target_nqn: nqn, portals: [['192.0.2.10', 4420, 'tcp']], vol_uuid: uuid }
const unnamed = { ...volume, vol_uuid: undefined }
const first = { name: 'nvme0', nqn, address: 'traddr=192.0.2.10,trsvcid=4420' }
const second = { name: 'nvme1', nqn, address: 'traddr=192.0.2.11,trsvcid=4420', id: 2 }
const namespace = { name: 'nvme0n1', number: 1, uuid }
const other = { name: 'nvme0n2', number: 2, uuid: otherUuid }
const soon = { timeout: 2000 }
const connector = new NVMeOFConnector()

describe('a volume that nothing but its path names', () => {
  function twoVolumes(test: TestContext): RecordedNvme {
    const nvme = new RecordedNvme(test)
    nvme.addController(first, other)
    return nvme
  }

  it('is not another one when the backend has taken it back', async (test) => {
    const nvme = twoVolumes(test)
    await connector.disconnectVolume(unnamed, { type: 'block', path: '/dev/nvme0n1' }, soon)
    assert.deepEqual([nvme.flushed, nvme.controllers], [[], ['nvme0']])
  })

  it('is not another one when the path is in its properties', async (test) => {
    const nvme = twoVolumes(test)
    await connector.disconnectVolume({ ...unnamed, device_path: '/dev/nvme0n1' }, null, soon)
    assert.deepEqual([nvme.flushed, nvme.controllers], [[], ['nvme0']])
  })

  it('leaves a controller that has nothing else', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.addController(first)
    await connector.disconnectVolume(unnamed, { type: 'block', path: '/dev/nvme0n1' }, soon)
    assert.deepEqual(nvme.controllers, [])
  })

  it('is found by a link to it', async (test) => {
    const nvme = twoVolumes(test)
    nvme.addNamespace('nvme0', namespace)
    const link = `/dev/disk/by-id/nvme-uuid.${uuid}`
    nvme.links.set(link, '/dev/nvme0n1')
    await connector.disconnectVolume(unnamed, { type: 'block', path: link }, soon)
    assert.deepEqual([nvme.flushed, nvme.controllers], [['/dev/nvme0n1'], ['nvme0']])
  })

  it('is the only one of its subsystem without a path', async (test) => {
    const nvme = twoVolumes(test)
    await connector.disconnectVolume(unnamed, undefined, soon)
    assert.deepEqual([nvme.flushed, nvme.controllers], [['/dev/nvme0n2'], []])
  })
})

describe('a detach', () => {
  /** The last question before a controller is deleted is what else it has. */
  function beforeDeletion(nvme: RecordedNvme, happens: () => void): void {
    let asked = 0
    nvme.answer('nvme0', (structure) => {
      if (structure === 0x02 && asked++ === 0) happens()
      return undefined
    })
  }

  it('deletes a controller by what it is, and not by its name alone', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.addController({ ...first, id: 7 }, namespace)
    await connector.disconnectVolume(volume, undefined, soon)
    const expected = [
      { pattern: '/sys/class/nvme/nvme0/subsysnqn', content: `${nqn}\n` },
      { pattern: '/sys/class/nvme/nvme0/cntlid', content: '7\n' },
    ]
    assert.deepEqual(nvme.deleted, [{ name: 'nvme0', expected }])
  })

  it('knows a controller that is connected anew by no id, which may change', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.addController({ ...first, state: 'connecting' })
    await connector.disconnectVolume(volume, undefined, soon)
    assert.deepEqual(
      nvme.deleted.map(({ expected }) => expected.map(({ pattern }) => pattern)),
      [['/sys/class/nvme/nvme0/subsysnqn']],
    )
  })

  it('leaves a controller that has got the name meanwhile', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.addController(first, namespace)
    const another = { ...first, nqn: 'nqn.2026-11.test:another' }
    beforeDeletion(nvme, () => {
      nvme.removeController('nvme0')
      nvme.addController(another, { ...other, number: namespace.number })
    })
    await connector.disconnectVolume(volume, undefined, { ...soon, force: true, ignoreErrors: true })
    assert.deepEqual([nvme.controllers, nvme.deleted], [['nvme0'], []])
  })

  it('deletes a controller that has been connected anew meanwhile, and has another id', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.addController(first, namespace)
    beforeDeletion(nvme, () => {
      nvme.addController({ ...first, id: 8 }, namespace)
    })
    await connector.disconnectVolume(volume, undefined, soon)
    assert.deepEqual([nvme.flushed, nvme.controllers, nvme.deleted.length], [['/dev/nvme0n1'], [], 1])
  })

  it('leaves one that has been connected anew meanwhile, and has another volume', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.addController(first, namespace)
    beforeDeletion(nvme, () => {
      nvme.addController({ ...first, id: 8 }, namespace, other)
    })
    await connector.disconnectVolume(volume, undefined, soon)
    assert.deepEqual([nvme.controllers, nvme.deleted], [['nvme0'], []])
  })

  it('does not wait for itself where two controllers are at one address', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.addController({ ...first, address: `${first.address},host_iface=eth0` }, namespace)
    nvme.addController({ ...first, name: 'nvme1', address: `${first.address},host_iface=eth1` }, namespace)
    await connector.disconnectVolume(volume, undefined, soon)
    assert.deepEqual(nvme.controllers, [])
  })

  for (const [does, hiding, flushed] of [
    ['flushes what one of its two controllers shows no more', 1, ['/dev/nvme0n1']],
    ['does not flush what none of its two controllers shows any more', 2, []],
  ] as const) {
    it(does, async (test) => {
      const nvme = new RecordedNvme(test)
      let asked = 0
      for (const controller of [first, second]) {
        nvme.addController(controller, namespace)
        nvme.answer(controller.name, (structure) =>
          structure === 0x03 && asked++ < hiding ? refused(controller.name, '0/0b, do not retry') : undefined,
        )
      }
      await connector.disconnectVolume(volume, undefined, soon)
      assert.deepEqual([asked, nvme.flushed, nvme.controllers], [2, flushed, []])
    })
  }

  it('flushes what an old controller has no names for', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.addController(first, namespace)
    nvme.answer('nvme0', (structure) => (structure === 0x03 ? refused('nvme0', '0/02, do not retry') : undefined))
    await connector.disconnectVolume(volume, undefined, soon)
    assert.deepEqual([nvme.flushed, nvme.controllers], [['/dev/nvme0n1'], []])
  })

  const silent = (['EINTR', 'EAGAIN', 'ENODEV'] as const).map((code) => failure(code, '/dev/nvme0'))
  for (const error of [refused('nvme0', '3/71'), ...silent]) {
    it(`asks the next controller when one fails with ${error.errno} ${error.message}`, async (test) => {
      const nvme = new RecordedNvme(test)
      let asked = 0
      for (const controller of [first, second]) {
        nvme.addController(controller, namespace)
        nvme.answer(controller.name, (structure) => (structure === 0x03 && asked++ === 0 ? error : undefined))
      }
      await connector.disconnectVolume(volume, undefined, soon)
      assert.deepEqual([asked, nvme.flushed, nvme.controllers], [2, ['/dev/nvme0n1'], []])
    })
  }

  it('fails when none can be asked', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.addController(first, namespace)
    nvme.answer('nvme0', (structure) => (structure === 0x03 ? refused('nvme0', '3/71') : undefined))
    await assert.rejects(connector.disconnectVolume(volume, undefined, soon), { code: 'FLUSH_FAILED' })
    assert.deepEqual(nvme.controllers, ['nvme0'])
  })

  it('takes a disk that has gone meanwhile for one that nobody uses', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.addController(first, namespace)
    nvme.answer('nvme0', (structure) => (structure === 0x03 ? refused('nvme0', '0/0b') : undefined))
    nvme.missing.add('/dev/nvme0n1')
    await connector.disconnectVolume(volume, undefined, soon)
    assert.deepEqual(nvme.controllers, [])
  })
})

describe('a controller that says an NGUID and no other name', () => {
  const nguid = '00112233-4455-6677-8899-aabbccddeeff'

  function oldController(test: TestContext, said: string): RecordedNvme {
    const nvme = new RecordedNvme(test)
    nvme.listening.add('192.0.2.10')
    nvme.addController(first, { ...namespace, nguid })
    nvme.answer('nvme0', (structure) => {
      if (structure === 0x03) return refused('nvme0', '0/02, do not retry')
      return structure === 0x00 ? namespaceOf(said) : undefined
    })
    return nvme
  }

  it('has the volume when it is that of the volume', async (test) => {
    const nvme = oldController(test, nguid)
    const info = await connector.connectVolume(volume, soon)
    await connector.disconnectVolume(volume, info, soon)
    assert.deepEqual([nvme.flushed, nvme.controllers], [['/dev/nvme0n1'], []])
  })

  it('has another volume when it is another one', async (test) => {
    const nvme = oldController(test, 'ffeeddcc-bbaa-9988-7766-554433221100')
    await assert.rejects(connector.connectVolume(volume, soon), { code: 'IDENTITY_MISMATCH' })
    await connector.disconnectVolume(volume, undefined, soon)
    assert.deepEqual([nvme.flushed, nvme.controllers], [[], []])
  })
})

describe('an attach', () => {
  it('fails with what the controller says when it shows no such namespace any more', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.addController(first, namespace)
    nvme.listening.add('192.0.2.10')
    nvme.answer('nvme0', (structure) => (structure === 0x03 ? refused('nvme0', '0/0b') : undefined))
    await assert.rejects(connector.connectVolume(volume, soon), { code: 'LUN_NOT_MAPPED' })
    assert.deepEqual(nvme.controllers, ['nvme0'])
  })

  it('that fails takes its controller down, and that one only', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.listening.add('192.0.2.10')
    nvme.connect = () => {
      nvme.addController(first, other)
      return first
    }
    await assert.rejects(connector.connectVolume(volume, soon), { code: 'LUN_NOT_MAPPED' })
    const expected = [
      { pattern: '/sys/class/nvme/nvme0/subsysnqn', content: `${nqn}\n` },
      { pattern: '/sys/class/nvme/nvme0/cntlid', content: '1\n' },
    ]
    assert.deepEqual(nvme.deleted, [{ name: 'nvme0', expected }])
  })

  it('that fails leaves a controller of which a disk has come into use', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.listening.add('192.0.2.10')
    nvme.connect = () => {
      nvme.addController(first, other)
      nvme.held.add('/dev/nvme0n2')
      return first
    }
    await assert.rejects(connector.connectVolume(volume, soon), { code: 'LUN_NOT_MAPPED' })
    assert.deepEqual(nvme.controllers, ['nvme0'])
  })

  it('goes on to the next portal when one leads to a controller that does not show the volume in time', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.listening.add('192.0.2.10').add('192.0.2.11')
    nvme.connect = (options) => {
      if (!options.includes('192.0.2.10')) {
        nvme.addController(second, namespace)
        return second
      }
      nvme.addController(first)
      // It has the volume, of which the kernel makes no disk: the path is inaccessible.
      nvme.answer('nvme0', (structure) => (structure === 0x02 ? listOf(1) : namesOf(uuid)))
      return first
    }
    const both = { ...volume, portals: [...volume.portals, ['192.0.2.11', 4420, 'tcp']] }
    const info = await connector.connectVolume(both, { timeout: 3000 })
    assert.deepEqual([info.path, nvme.controllers], ['/dev/nvme0n1', ['nvme1']])
  })

  it('by a name meets a detach by an address', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.names.set('storage.example', ['192.0.2.11', '192.0.2.10'])
    nvme.listening.add('192.0.2.10').add('192.0.2.11')
    nvme.connect = () => {
      nvme.addController(first, namespace)
      return first
    }
    const keys: string[] = []
    const { lock } = nvme
    nvme.lock = (byte) => {
      keys.push(String(byte))
      return lock(byte)
    }
    const named = { ...volume, portals: [['storage.example', 4420, 'tcp']] }
    const info = await connector.connectVolume(named, soon)
    const attach = new Set(keys.splice(0))
    await connector.disconnectVolume(volume, info, soon)
    // The volume's lock and the controller's.
    assert.deepEqual([keys.length, keys.filter((key) => !attach.has(key))], [2, []])
  })
})

describe('discovery through the kernel', () => {
  it('disconnects a controller that says a name of its own', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.listening.add('192.0.2.10')
    nvme.connect = () => {
      const own = { ...first, nqn: 'nqn.2026-11.test:discovery', type: 'discovery' }
      nvme.addController(own)
      return own
    }
    const asked = discoverNvmeSubsystems('192.0.2.10:8009', { ...soon, settings: { host_iface: 'lo' } })
    await assert.rejects(asked, { code: 'SYSTEM', step: 'log' })
    assert.deepEqual(nvme.controllers, [])
  })
})

describe('the growth of a namespace', () => {
  it('is done when it has grown even more meanwhile', async (test) => {
    const nvme = new RecordedNvme(test)
    nvme.addController(first, namespace)
    nvme.resize('nvme0n1', 128 * 1024 * 1024)
    assert.equal(await connector.extendVolume(volume, soon), 128 * 1024 * 1024)
  })
})
