import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { binding } from '../../lib/binding.ts'
import type { Binding, DeviceLook } from '../../lib/binding.ts'
import { LiveInventory } from '../../lib/watch/live.ts'
import { Occasions } from '../../lib/watch/occasions.ts'

const { signal } = new AbortController()

/** A kernel that tells what the test says: that these devices have changed, and perhaps how they look now. */
function playKernel(t: TestContext): { tell: (names: string[], look?: DeviceLook) => void; asked: () => number } {
  let receive: Parameters<Binding['openMonitor']>[1] | undefined
  let asked = 0
  const lookAtNext = (): void => {
    asked++
  }
  t.mock.method(binding(), 'openMonitor', (...[, receiver]: Parameters<Binding['openMonitor']>) => {
    receive = receiver
    return { only: () => undefined, lookAtNext, close: () => undefined }
  })
  t.mock.method(binding(), 'openSessionMonitor', () => () => undefined)
  const event = (name: string): string => `ACTION=change\0DEVPATH=/devices/virtual/block/${name}\0SUBSYSTEM=block\0`
  return {
    tell: (names, look) => receive?.(names.map(event), false, look ?? null),
    asked: () => asked,
  }
}

describe('what changes without an event', { timeout: 20_000 }, () => {
  it('is looked at again, however many events there are of something else', async (t) => {
    const { tell } = playKernel(t)
    using occasions = new Occasions(['sessions', 'controllers'])
    // Oftener than the shortest interval.
    const events = setInterval(() => {
      tell(['loop0'])
    }, 5)
    for (let looks = 0; looks < 4;) {
      occasions.lookAgain('sessions')
      await occasions.next(signal)
      if (occasions.take().parts.has('sessions')) looks++
    }
    clearInterval(events)
  })
})

describe('a device that is announced before all of it is there', { timeout: 20_000 }, () => {
  it('is looked at again, and anew', async (t) => {
    for (const name of ['dm-3', 'md0']) {
      const { tell } = playKernel(t)
      using occasions = new Occasions([])
      const look: DeviceLook = { names: [name], bytes: Buffer.alloc(0) }
      for (let looks = 0; looks < 3; looks++) {
        const next = occasions.next(signal)
        if (looks === 0) tell([name], look)
        await next
        const due = occasions.take()
        assert.deepEqual([due.devices.names, due.look], [[name], looks === 0 ? look : undefined])
      }
      t.mock.restoreAll()
    }
  })
})

describe('a look that comes with an event', { timeout: 20_000 }, () => {
  const look: DeviceLook = { names: ['loop0'], bytes: Buffer.alloc(0) }

  it('is asked for while somebody waits, and passed on once', async (t) => {
    const { tell, asked } = playKernel(t)
    using occasions = new Occasions([])
    assert.equal(asked(), 0)
    for (let round = 1; round <= 2; round++) {
      const next = occasions.next(signal)
      assert.equal(asked(), round)
      tell(['loop0'], look)
      await next
      const due = occasions.take()
      assert.deepEqual([due.devices, due.look], [{ all: false, names: ['loop0'] }, look])
      assert.equal(occasions.take().look, undefined)
    }
  })

  it('is too old when another event has come since', async (t) => {
    const { tell } = playKernel(t)
    using occasions = new Occasions([])
    const next = occasions.next(signal)
    tell(['loop0'], look)
    tell(['loop0'])
    await next
    assert.equal(occasions.take().look, undefined)
  })

  it('is too old when nobody waited for it', async (t) => {
    const { tell } = playKernel(t)
    using occasions = new Occasions([])
    tell(['loop0'], look)
    await occasions.next(signal)
    const due = occasions.take()
    assert.deepEqual([due.devices, due.look], [{ all: false, names: ['loop0'] }, undefined])
  })

  it('and cannot be read fails who relies on it, instead of being passed over', async (t) => {
    const { tell } = playKernel(t)
    using live = new LiveInventory(new Occasions([]))
    await live.settled()
    await new Promise(setImmediate)
    tell(['loop0'], { names: ['loop0'], bytes: Buffer.from([1, 2, 3]) })
    await new Promise(setImmediate)
    await assert.rejects(live.settled(), RangeError)
  })
})
