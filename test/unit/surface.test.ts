import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import { ISCSIConnector } from '../../lib/index.ts'
import type { BrickError } from '../../lib/index.ts'
import { binding } from '../../lib/binding.ts'
import { emptyHost, ended, run } from './children/child.ts'

const root = getuid?.() === 0
const limit = { timeout: 20_000 }
const connector = new ISCSIConnector()

function properties(changes: object = {}): object {
  return {
    driver_volume_type: 'iscsi',
    data: {
      target_portal: '127.0.0.1:1',
      target_iqn: 'iqn.2010-10.org.openstack:volume-test',
      target_lun: 1,
      ...changes,
    },
  }
}

describe('importing hostbrick', () => {
  it('loads no addon: that is for the first call', limit, async () => {
    assert.deepEqual(await run('import.ts'), ended)
  })
})

describe('a transport', () => {
  for (const transport of ['', '-I', '../default', 'a b', 'a/b', 'a\nb', 'x'.repeat(65), null, 1]) {
    it(`cannot be ${JSON.stringify(transport)}`, () => {
      assert.throws(() => new ISCSIConnector({ transport: transport as string }), { code: 'INVALID_ARGUMENT' })
    })
  }
})

describe('arguments', () => {
  const calls = {
    connectVolume: (given: unknown, options?: object) => connector.connectVolume(given, options),
    disconnectVolume: (given: unknown, options?: object) => connector.disconnectVolume(given, undefined, options),
    extendVolume: (given: unknown, options?: object) => connector.extendVolume(given, options),
    getVolumePaths: (given: unknown, options?: object) => connector.getVolumePaths(given, options),
  }
  const refused: [string, unknown, object?][] = [
    ['nothing', undefined],
    ['None', null],
    ['a text', 'iqn'],
    ['no target', properties({ target_iqn: undefined })],
    ["the LUN 'x'", properties({ target_lun: 'x' })],
    ['a target name with a slash', properties({ target_iqn: 'iqn.2010-10.org.openstack:../../etc' })],
    ['no portal', properties({ target_portal: '' })],
    ['a timeout of 0', properties(), { timeout: 0 }],
  ]
  for (const [verb, call] of Object.entries(calls)) {
    for (const [name, given, options] of refused) {
      it(`of ${verb}: ${name} is INVALID_ARGUMENT, and nothing is touched`, async (t) => {
        const verbs = ['walk', 'walkInParts', 'tryLockByte', 'lockByte'] as const
        const touched = verbs.map((each) => t.mock.method(binding(), each))
        const copy = structuredClone(given)
        await assert.rejects(call(given, options), { name: 'BrickError', code: 'INVALID_ARGUMENT', retryable: false })
        assert.deepEqual(given, copy)
        assert.deepEqual(
          touched.map(({ mock }) => mock.callCount()),
          [0, 0, 0, 0],
        )
      })
    }
  }

  it('of disconnectVolume: a device info that is none is INVALID_ARGUMENT', async () => {
    await assert.rejects(connector.disconnectVolume(properties(), '/dev/sda'), { code: 'INVALID_ARGUMENT' })
  })

  it('never show a password', async () => {
    const given = properties({ auth_method: 'CHAP', auth_username: 'user', auth_password: ['hunter2hunter2'] })
    await assert.rejects(connector.connectVolume(given), (error: BrickError) => {
      return error.code === 'INVALID_ARGUMENT' && !`${error.message}${JSON.stringify(error)}`.includes('hunter2')
    })
  })
})

describe('ISCSIConnector', { skip: !root && 'only root has /run/hostbrick' }, () => {
  it('says PORTAL_UNREACHABLE when nobody listens, on whatever portal', limit, async () => {
    assert.deepEqual(await run('unreachable.ts', [], { wrapper: emptyHost }), ended)
  })

  it('says ABORTED when the signal has fired, with its reason', async () => {
    const reason = new Error('enough')
    const options = { signal: AbortSignal.abort(reason) }
    for (const call of [
      () => connector.connectVolume(properties(), options),
      () => connector.disconnectVolume(properties(), undefined, options),
      () => connector.extendVolume(properties(), options),
      () => connector.getVolumePaths(properties(), options),
    ]) {
      await assert.rejects(call, { name: 'BrickError', code: 'ABORTED', cause: reason })
    }
  })

  it(
    'finds no volume where there is none',
    { skip: existsSync('/sys/class/iscsi_session') && 'there may be' },
    async () => {
      assert.deepEqual(await connector.getVolumePaths(properties()), [])
      await assert.rejects(connector.extendVolume(properties()), { code: 'DEVICE_NOT_FOUND' })
    },
  )

  it('tells devices that answer from others', async () => {
    assert.equal(await connector.checkValidDevice('/nonexistent'), false)
    assert.equal(connector.getSearchPath(), '/dev/disk/by-path')
    assert.ok(Array.isArray(await connector.getAllAvailableVolumes()))
  })

  for (const [name, call] of [
    ['getAllAvailableVolumes', (signal: AbortSignal) => connector.getAllAvailableVolumes(undefined, { signal })],
    ['checkValidDevice', (signal: AbortSignal) => connector.checkValidDevice('/nonexistent', { signal })],
  ] as const) {
    it(`hears the caller during ${name}`, async () => {
      const caller = new AbortController()
      const called = call(caller.signal)
      caller.abort()
      await assert.rejects(called, { code: 'ABORTED' })
    })
  }
})
