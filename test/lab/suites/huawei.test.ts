/** Volumes of SDSHypervisor through the public API, against a stand-in for its command line. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, constants, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { InitiatorConnector } from 'hostbrick'
import { loadModules } from '../command.ts'
import { readDevice, writeDevice } from '../device.ts'
import { rejects } from '../rejects.ts'
import { assertNothingLeft, snapshot, type Snapshot } from '../residue.ts'
import { SdsCli } from '../sds-cli.ts'

const MEBIBYTE = 1024 * 1024
const NAME = 'volume-6d54cb90'
const volume = { driver_volume_type: 'HUAWEISDSHYPERVISOR', data: { volume_id: NAME } }
const connector = InitiatorConnector.factory(volume.driver_volume_type)

let cli: SdsCli
let clean: Snapshot

before(() => {
  loadModules('loop')
  cli = new SdsCli(16)
  process.env['HUAWEISDSHYPERVISORCLI_PATH'] = cli.path
  clean = snapshot()
})
after(() => {
  delete process.env['HUAWEISDSHYPERVISORCLI_PATH']
  cli.remove()
})
afterEach(async () => {
  cli.behave()
  await connector.disconnectVolume(volume)
  cli.takeCalls()
  await assertNothingLeft(clean)
})

describe('a volume', () => {
  it('is attached, written, read back and detached', async () => {
    const content = randomBytes(MEBIBYTE)
    const info = await connector.connectVolume(volume)
    assert.match(info.path, /^\/dev\/loop\d+$/)
    assert.deepEqual([info.type, info.size, info.degraded], ['block', 16 * MEBIBYTE, false])
    writeDevice(info.path, content)
    assert.deepEqual(await connector.getVolumePaths(volume), [info.path])
    assert.equal(await connector.checkValidDevice(info.path), true)
    await connector.disconnectVolume(volume, info)
    assert.deepEqual(await connector.getVolumePaths(volume), [])

    const again = await connector.connectVolume(volume)
    assert.ok(readDevice(again.path, content.length).equals(content), 'what was written is there')
    await connector.disconnectVolume(volume, JSON.parse(JSON.stringify(again)))
  })

  it('is the same device when it is attached twice, and gone when it is detached twice', async () => {
    const [first, second] = await Promise.all([connector.connectVolume(volume), connector.connectVolume(volume)])
    assert.deepEqual(second.identity, first.identity)
    await connector.disconnectVolume(volume, first)
    await connector.disconnectVolume(volume, second)
    assert.deepEqual(await connector.getVolumePaths(volume), [])
  })

  it('in use is not detached, but by force', async () => {
    const { path } = await connector.connectVolume(volume)
    const holder = openSync(path, constants.O_RDWR | constants.O_EXCL)
    await rejects('DEVICE_IN_USE', connector.disconnectVolume(volume))
    assert.deepEqual(await connector.getVolumePaths(volume), [path])
    await rejects('DEVICE_IN_USE', connector.disconnectVolume(volume, undefined, { force: true }))
    assert.deepEqual(await connector.getVolumePaths(volume), [])
    closeSync(holder)
  })

  it('cannot be extended', async () => {
    await rejects('NOT_SUPPORTED', connector.extendVolume(volume))
  })
})

describe('sds_cli', () => {
  const accepted: ['attach' | 'detach', number, string][] = [
    ['attach', 50151401, 'attached already'],
    ['attach', 50151405, 'mount node recorded'],
    ['detach', 50155007, 'not on this node'],
    ['detach', 50151209, 'service out of order'],
  ]
  for (const [verb, code, meaning] of accepted) {
    it(`may answer ${verb} with ${code}: ${meaning}`, async () => {
      cli.run('attach', NAME)
      cli.answer(verb, `ret_code=${code}\nret_desc=${meaning}\n`)
      if (verb === 'detach') await connector.disconnectVolume(volume)
      else assert.match((await connector.connectVolume(volume)).path, /^\/dev\/loop\d+$/)
    })
  }

  for (const verb of ['attach', 'detach'] as const) {
    it(`that refuses to ${verb} is quoted`, async () => {
      if (verb === 'detach') await connector.connectVolume(volume)
      cli.answer(verb, 'ret_code=50150001\nret_desc=no such volume\n')
      const call = verb === 'attach' ? connector.connectVolume(volume) : connector.disconnectVolume(volume)
      const error = await rejects('TOOL_FAILED', call)
      assert.deepEqual(error.details, { verb, volume: NAME, code: 50150001, description: 'no such volume' })
      assert.equal(error.step, verb)
    })
  }

  for (const [what, output, code] of [
    ['no device', 'ret_code=50150002\n', 'DEVICE_NOT_FOUND'],
    ['success and no device', 'ret_code=0\n', 'TOOL_FAILED'],
    ['a device that never comes', 'ret_code=0\ndev_addr=/dev/lab-missing\n', 'DEVICE_NOT_FOUND'],
    ['something that is no device', 'ret_code=0\ndev_addr=/etc/passwd\n', 'TOOL_FAILED'],
    ['nothing', '', 'TOOL_FAILED'],
  ] as const) {
    it(`that names ${what} after an attach makes that undone`, async () => {
      cli.answer('querydev', output)
      await rejects(code, connector.connectVolume(volume, { timeout: 2500 }))
      assert.equal(cli.takeCalls().at(-1), `detach ${NAME}`)
      cli.behave()
      assert.deepEqual(await connector.getVolumePaths(volume), [])
    })
  }

  it('does not detach after a failure what was attached before', async () => {
    cli.run('attach', NAME)
    cli.answer('querydev', 'ret_code=0\ndev_addr=/dev/lab-missing\n')
    await rejects('DEVICE_NOT_FOUND', connector.connectVolume(volume, { timeout: 2500 }))
    assert.deepEqual(cli.takeCalls(), [`querydev ${NAME}`])
  })

  it('that hangs is killed in time', async () => {
    cli.hang('attach')
    await rejects('TIMEOUT', connector.connectVolume(volume, { timeout: 2500 }))
    assert.deepEqual(cli.takeCalls(), [`querydev ${NAME}`, `attach ${NAME}`, `detach ${NAME}`])
    const { status } = spawnSync('pgrep', ['--full', `cat ${dirname(cli.path)}/say-`])
    assert.equal(status, 1, 'it still runs')
  })

  it('that is not there is NOT_SUPPORTED', async () => {
    process.env['HUAWEISDSHYPERVISORCLI_PATH'] = '/usr/local/bin/no/sds_cli'
    const calls = [
      connector.connectVolume(volume),
      connector.disconnectVolume(volume),
      connector.getVolumePaths(volume),
    ]
    await Promise.all(calls.map((call) => rejects('NOT_SUPPORTED', call))).finally(() => {
      process.env['HUAWEISDSHYPERVISORCLI_PATH'] = cli.path
    })
  })
})
