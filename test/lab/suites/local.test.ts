/** Volumes that somebody else brings to this host, through the public API. */
import assert from 'node:assert/strict'
import { rmSync, truncateSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { InitiatorConnector } from 'hostbrick'
import { loadModules, run } from '../command.ts'
import { rejects } from '../rejects.ts'
import { settled } from '../residue.ts'

const MEBIBYTE = 1024 * 1024
const image = '/dev/shm/lab-local'
const link = '/dev/disk/by-label/lab-local'
const connector = InitiatorConnector.factory('LOCAL')
const volume = { driver_volume_type: 'local', data: { device_path: link } }
const at = (path: string): object => ({ ...volume, data: { device_path: path } })

let device: string | undefined

before(() => {
  loadModules('loop')
  writeFileSync(image, '')
  truncateSync(image, 16 * MEBIBYTE)
  run('mkfs.ext4', '-q', '-L', 'lab-local', image)
})
after(async () => {
  if (device !== undefined) run('losetup', '--detach', device)
  await settled()
  rmSync(image)
})

describe('a volume', () => {
  it('is waited for until udev has made its link', async () => {
    assert.deepEqual(await connector.getVolumePaths(volume), [])
    const attach = connector.connectVolume(volume)
    device = run('losetup', '--find', '--show', image).trim()
    const info = await attach
    assert.deepEqual([info.type, info.path, info.size], ['local', link, 16 * MEBIBYTE])
    assert.equal(await connector.checkValidDevice(info.path), true)
    assert.deepEqual(await connector.getVolumePaths(volume), [link])
  })

  it('has the size that it has', async () => {
    assert.ok(device, 'a device')
    truncateSync(image, 24 * MEBIBYTE)
    assert.equal(await connector.extendVolume(volume), 16 * MEBIBYTE)
    await rejects('NOT_EXTENDED', connector.extendVolume(volume, { expectedBytes: 24 * MEBIBYTE }))
    run('losetup', '--set-capacity', device)
    assert.equal(await connector.extendVolume(volume, { expectedBytes: 24 * MEBIBYTE }), 24 * MEBIBYTE)
  })

  it('stays where it is when it is detached', async () => {
    const info = await connector.connectVolume(volume)
    await connector.disconnectVolume(volume, info)
    await connector.disconnectVolume(volume)
    assert.deepEqual(await connector.getVolumePaths(volume), [link])
    assert.deepEqual((await connector.connectVolume(volume)).identity, info.identity)
  })
})

describe('what is no volume', () => {
  it('is not found', async () => {
    await rejects('DEVICE_NOT_FOUND', connector.connectVolume(at('/dev/lab-missing'), { timeout: 1000 }))
    await rejects('DEVICE_NOT_FOUND', connector.extendVolume(at('/dev/lab-missing')))
    await connector.disconnectVolume(at('/dev/lab-missing'))
  })

  for (const path of ['/etc/passwd', '/etc', '/dev/null']) {
    it(`is refused: ${path}`, async () => {
      const error = await rejects('INVALID_ARGUMENT', connector.connectVolume(at(path)))
      assert.deepEqual(error.details, { field: 'device_path', value: `'${path}'` })
      await rejects('INVALID_ARGUMENT', connector.extendVolume(at(path)))
    })
  }

  it('is refused: no path', async () => {
    for (const properties of [{}, { device_path: '' }, { device_path: 5 }, undefined]) {
      await rejects('INVALID_ARGUMENT', connector.connectVolume(properties))
      await rejects('INVALID_ARGUMENT', connector.disconnectVolume(properties))
      await rejects('INVALID_ARGUMENT', connector.extendVolume(properties))
    }
  })
})
