import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { binding } from '../../lib/binding.ts'
import { lookPlan } from '../../lib/inventory/read.ts'
import { TrackedDevices } from '../../lib/inventory/tracked.ts'
import { difference } from '../../lib/watch/difference.ts'

const [name = ''] = readdirSync('/sys/class/block').filter((device) => !device.startsWith('nvme'))
const nothing = { sessions: [], controllers: [], paths: [] }

/** What the addon's monitor would have seen of these devices. */
async function lookAt(...names: string[]): Promise<{ names: string[]; bytes: Buffer }> {
  const { bytes } = await binding().walkInParts('inventory', '/sys', lookPlan.text, names).result
  return { names, bytes }
}

describe('tracked devices', { skip: name === '' && 'no block devices here' }, () => {
  it('take a look that has all of the devices in doubt for their own', async (t) => {
    const tracked = new TrackedDevices()
    const look = await lookAt(name)
    const walks = t.mock.method(binding(), 'walkInParts')
    const { before, after } = await tracked.look({ all: false, names: [name] }, look)
    assert.deepEqual([before, after.map((device) => device.name)], [[], [name]])
    assert.equal(tracked.byName.get(name), after[0])
    // What is built upon it, and its partitions, are looked at in the ordinary way.
    const related = after.some(({ holders, slaves }) => holders.length + slaves.length > 0)
    assert.equal(walks.mock.callCount(), related ? 1 : 0)
  })

  it('look for themselves when a look lacks one, or is of NVMe', async (t) => {
    const walks = t.mock.method(binding(), 'walkInParts')
    for (const names of [[name, 'nobody'], ['nvme99n1']]) {
      walks.mock.resetCalls()
      await new TrackedDevices().look({ all: false, names }, { names: [name, 'nvme99n1'], bytes: Buffer.alloc(0) })
      assert.ok(walks.mock.callCount() >= 1, names.join())
    }
  })

  it('have gone when a look has nothing of them', async () => {
    const tracked = new TrackedDevices()
    await tracked.look({ all: true, names: [] })
    const was = tracked.byName.get(name)
    const looked = await tracked.look({ all: false, names: [name] }, { names: [name], bytes: Buffer.alloc(0) })
    assert.deepEqual(looked.before[0], was)
    assert.equal(tracked.byName.get(name), undefined)
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
