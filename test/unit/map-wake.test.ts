import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { binding } from '../../lib/binding.ts'
import type { MapState } from '../../lib/binding.ts'
import { wake } from '../../lib/multipath/removal.ts'

const map = { device: 'dm-7', path: '/dev/dm-7', name: 'mpatha', wwid: '36001405' }
const { signal } = new AbortController()

const state = (suspended: boolean): MapState => ({
  uuid: 'mpath-36001405',
  suspended,
  table: [{ type: 'multipath', parameters: '0 0 1 1 service-time 0 1 1 8:0 1' }],
  status: [{ type: 'multipath', parameters: '2 0 0 0 1 1 E 0 1 1 8:0 A 0 0' }],
})

/** A map that is suspended at first, whose resumption the kernel refuses with this errno, and how it is after that. */
function playMap(t: TestContext, errno: number, after: MapState): void {
  const states = [state(true), after]
  t.mock.method(binding(), 'openMonitor', () => ({
    only: () => undefined,
    lookAtNext: () => undefined,
    close: () => undefined,
  }))
  t.mock.method(binding(), 'mapState', () => ({ result: Promise.resolve(states.shift()), number: 0 }))
  t.mock.method(binding(), 'resumeMap', () => {
    const failure = Object.assign(new Error('refused'), { errno, syscall: 'DM_DEV_SUSPEND', path: map.name })
    return { result: Promise.reject(failure), number: 0 }
  })
}

describe('a map that is to be woken', { timeout: 20_000 }, () => {
  it('may have been resumed by whoever had suspended it', async (t) => {
    playMap(t, -22, state(false))
    assert.deepEqual(await wake(map, signal), { queueing: false, dead: false })
  })

  it('that stays suspended is an error, and so is any other refusal', async (t) => {
    playMap(t, -22, state(true))
    await assert.rejects(wake(map, signal), { code: 'EINVAL' })
    t.mock.restoreAll()
    playMap(t, -5, state(false))
    await assert.rejects(wake(map, signal), { code: 'EIO' })
  })

  it('may have gone', async (t) => {
    playMap(t, -6, state(false))
    assert.equal(await wake(map, signal), undefined)
  })
})
