import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { binding } from '../../lib/binding.ts'
import { lookPlan, readAll, readSomeDevices } from '../../lib/inventory/read.ts'
import { TrackedDevices } from '../../lib/inventory/tracked.ts'
import { difference } from '../../lib/watch/difference.ts'

const [name = ''] = readdirSync('/sys/class/block').filter((device) => !device.startsWith('nvme'))
const { devices: all } = await readAll()
/** Upon which nothing is built, which is built upon nothing, and has no partitions. */
const lonely =
  all.find(
    ({ name: disk, holders, slaves, nvme }) =>
      holders.length + slaves.length === 0 && nvme === null && !all.some(({ parent }) => parent === disk),
  )?.name ?? ''
const nothing = { sessions: [], controllers: [], paths: [] }

/** What the addon's monitor would have seen of these devices. */
async function lookAt(...names: string[]): Promise<{ names: string[]; bytes: Buffer }> {
  const { bytes } = await binding().walkInParts('inventory', '/sys', lookPlan.text, names).result
  return { names, bytes }
}

describe('tracked devices', { skip: name === '' && 'no block devices here' }, () => {
  it('take a look that has all of the devices in doubt for their own, unless others have changed with them', async () => {
    const tracked = new TrackedDevices()
    const looked = tracked.lookAtOnce({ all: false, names: [name] }, await lookAt(name))
    const [device] = await readSomeDevices([name])
    assert.ok(device)
    if (device.holders.length + device.slaves.length > 0) {
      assert.deepEqual([looked, tracked.devices], [undefined, []])
    } else {
      assert.deepEqual([looked?.before, looked?.after.map((one) => one.name)], [[], [name]])
      assert.equal(tracked.byName.get(name), looked?.after[0])
    }
  })

  it('use what a look has also when others have to be looked at beside', async (t) => {
    const tracked = new TrackedDevices()
    const look = await lookAt(name)
    const walks = t.mock.method(binding(), 'walkInParts')
    const { before, after } = await tracked.look({ all: false, names: [name] }, look)
    assert.deepEqual([before, after.map((device) => device.name)], [[], [name]])
    assert.equal(tracked.byName.get(name), after[0])
    const related = after.some(({ holders, slaves }) => holders.length + slaves.length > 0)
    assert.equal(walks.mock.callCount(), related ? 1 : 0)
  })

  it('are to be looked at when a look lacks one, is of NVMe, or there is none, or all are in doubt', () => {
    const tracked = new TrackedDevices()
    const look = { names: [name, 'nvme99n1'], bytes: Buffer.alloc(0) }
    for (const names of [[name, 'nobody'], ['nvme99n1']]) {
      assert.equal(tracked.lookAtOnce({ all: false, names }, look), undefined, names.join())
    }
    assert.equal(tracked.lookAtOnce({ all: false, names: [name] }, undefined), undefined)
    assert.equal(tracked.lookAtOnce({ all: true, names: [] }, look), undefined)
  })

  it('have gone when a look has nothing of them', { skip: lonely === '' && 'all are related here' }, async () => {
    const tracked = new TrackedDevices()
    await tracked.look({ all: false, names: [lonely] })
    const was = tracked.byName.get(lonely)
    assert.ok(was)
    const looked = tracked.lookAtOnce({ all: false, names: [lonely] }, { names: [lonely], bytes: Buffer.alloc(0) })
    assert.deepEqual(looked, { before: [was], after: [] })
    assert.equal(tracked.byName.get(lonely), undefined)
  })

  it('are as they were when they are looked at twice', async () => {
    const tracked = new TrackedDevices()
    for (let round = 0; round < 3; round++) {
      const { before, after } = await tracked.look({ all: false, names: [name] })
      const changes = difference({ ...nothing, devices: before }, { ...nothing, devices: after }, new Map())
      assert.deepEqual(
        changes.map(({ change }) => change),
        round === 0 ? ['added'] : [],
      )
    }
  })
})
