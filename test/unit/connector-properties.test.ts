import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { hostname, machine, networkInterfaces } from 'node:os'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { getConnectorProperties } from '../../lib/index.ts'
import { binding } from '../../lib/binding.ts'

const root = getuid?.() === 0
const ip = '192.0.2.7'

describe('getConnectorProperties', { skip: !root && 'only root may read what DMI says' }, () => {
  it('tells what this host is', async () => {
    const { platform, os_type, host, host_ips, ...rest } = await getConnectorProperties({ ip })
    assert.deepEqual([platform, os_type, host], [machine(), 'linux', hostname()])
    assert.deepEqual([rest.ip, rest.multipath, rest.enforce_multipath, rest.do_local_attach], [ip, false, false, false])
    const own = Object.values(networkInterfaces()).flatMap((list = []) => list.filter(({ internal }) => !internal))
    assert.deepEqual([...host_ips].sort(), own.map(({ address }) => address).sort())
    const uuid = '/sys/class/dmi/id/product_uuid'
    assert.equal(rest['system uuid'], existsSync(uuid) ? readFileSync(uuid, 'utf8').trim() : undefined)
  })

  it('hands on what the caller says', async () => {
    const given = await getConnectorProperties({ ip, host: 'node-1', multipath: true, enforceMultipath: true })
    assert.deepEqual([given.host, given.multipath, given.enforce_multipath], ['node-1', true, true])
  })

  it('is plain JSON', async () => {
    const properties = await getConnectorProperties({ ip })
    assert.deepEqual(JSON.parse(JSON.stringify(properties)), properties)
  })

  it('has no UUID of a root whose device is not in sight', async (t) => {
    const mounts = '/proc/self/mountinfo'
    const read = binding().readHost.bind(binding())
    t.mock.method(binding(), 'readHost', (lane: string, paths: readonly string[], root: string, plan: string) => {
      const { result, number } = read(lane, paths, root, plan)
      const btrfs = Buffer.from('1 0 0:33 /@ / rw - btrfs /dev/hostbrick-test rw\n')
      const replaced = result.then(({ files, ...rest }) => ({
        ...rest,
        files: files.map((file, index) => (paths[index] === mounts ? btrfs : file)),
      }))
      return { result: replaced, number }
    })
    assert.equal((await getConnectorProperties({ ip })).uuid, undefined)
  })

  it('starts no program, asks nobody and changes nothing', async (t) => {
    const verbs = ['runProgram', 'exchange', 'askAbstract', 'resolveHost', 'changeFiles', 'writeAttribute'] as const
    const touched = verbs.map((verb) => t.mock.method(binding(), verb))
    const connections = t.mock.method(globalThis, 'fetch')
    await getConnectorProperties({ ip })
    assert.deepEqual(
      [...touched, connections].map(({ mock }) => mock.callCount()),
      [0, 0, 0, 0, 0, 0, 0],
    )
  })
})

describe('arguments of getConnectorProperties', () => {
  for (const given of [undefined, '', null, 5]) {
    it(`refuse the address ${inspect(given)}`, async () => {
      await assert.rejects(getConnectorProperties({ ip: given as string }), {
        code: 'INVALID_ARGUMENT',
        details: { field: 'ip', value: inspect(given) },
      })
    })
  }

  it('refuse a host that is no name', async () => {
    await assert.rejects(getConnectorProperties({ ip, host: '' }), { code: 'INVALID_ARGUMENT' })
  })

  it('hear the caller', async () => {
    await assert.rejects(getConnectorProperties({ ip, signal: AbortSignal.abort() }), { code: 'ABORTED' })
  })
})
