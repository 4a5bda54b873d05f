import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { onAbort, withDeadline } from '../../lib/abort.ts'
import { OutlastingCall } from '../../lib/volume/outlasting.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Resolves with its reason when the signal fires. */
const fired = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    onAbort(signal, () => {
      resolve(signal.reason)
    })
  })
const limit = { timeout: 10_000 }

describe('a signal with a time of its own', limit, () => {
  it('fires when that has passed, whatever garbage is collected meanwhile', async () => {
    const reason = fired(withDeadline(new AbortController().signal, 50))
    const alive = setInterval(collectGarbage, 10)
    const { name, message } = (await reason) as DOMException
    clearInterval(alive)
    assert.deepEqual([name, message], ['TimeoutError', 'not done within 50 ms'])
  })

  it('fires with the signal that it is made of, once', async () => {
    const controller = new AbortController()
    const signal = withDeadline(controller.signal, 20)
    controller.abort('enough')
    await delay(40)
    assert.equal(signal.reason, 'enough')
    assert.equal(withDeadline(controller.signal, 20).reason, 'enough')
  })
})

describe('a call that outlasts its return', limit, () => {
  it("is ended by the caller's time, though only the call knows of it", async () => {
    using call = new OutlastingCall('test', { signal: AbortSignal.timeout(50) })
    const reason = fired(call.operation.signal)
    const alive = setInterval(collectGarbage, 10)
    assert.equal(((await reason) as { code?: string }).code, 'ABORTED')
    clearInterval(alive)
    assert.equal(call.stop.signal.aborted, false)
  })

  it('is ended by its own stop', async () => {
    using call = new OutlastingCall('test', {})
    const reason = fired(call.operation.signal)
    call.stop.abort('gone')
    assert.equal(((await reason) as { cause?: unknown }).cause, 'gone')
  })
})
