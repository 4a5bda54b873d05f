import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { binding, finish } from '../../lib/binding.ts'
import { BrickError } from '../../lib/errors.ts'
import { asBrickError, Operation } from '../../lib/operation.ts'
import type { StepMessage } from '../../lib/trace.ts'

const limit = { timeout: 20_000 }
const never = new AbortController().signal

/** Waits until the signal fires, and throws its reason. */
async function hang(signal: AbortSignal): Promise<never> {
  await delay(2 ** 30, undefined, { signal }).catch(() => undefined)
  throw signal.reason
}

async function failure(promise: Promise<unknown>): Promise<BrickError> {
  const error: unknown = await promise.then(
    () => assert.fail('it should have failed'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof BrickError, String(error))
  return error
}

describe('the timeout', () => {
  for (const timeout of [0, -1, NaN, Infinity, -Infinity, 2 ** 31]) {
    it(`is not ${timeout}`, () => {
      assert.throws(() => new Operation('test', { timeout }), {
        name: 'BrickError',
        code: 'INVALID_ARGUMENT',
        details: { field: 'timeout', value: String(timeout) },
      })
    })
  }

  for (const [timeout, remaining] of [
    [2 ** 31 - 1, 2 ** 31 - 1 - 10_000],
    [undefined, 50_000],
    [40_000, 30_000],
    [1, 0.75],
  ] as const) {
    it(`of ${timeout} leaves ${remaining} for the work`, () => {
      using operation = new Operation('test', { timeout })
      assert.ok(operation.remaining <= remaining)
      assert.ok(operation.remaining === 0 || operation.remaining > remaining - 10_000)
    })
  }

  it('ends the step that runs, and says which', limit, async () => {
    using operation = new Operation('test', { timeout: 20 })
    const error = await failure(operation.step('wait', hang))
    const { code, step, retryable, details } = error
    assert.deepEqual(
      { code, step, retryable, details },
      {
        code: 'TIMEOUT',
        step: 'wait',
        retryable: true,
        details: { timeout: 20 },
      },
    )
    assert.equal(operation.remaining, 0)
    assert.equal((await failure(operation.step('next', () => assert.fail()))).step, 'next')
  })

  it('has the share of a step end earlier', limit, async () => {
    using operation = new Operation('test', { timeout: 60_000 })
    const error = await failure(operation.step('part', () => hang(operation.share(0.0001))))
    assert.deepEqual([error.code, error.step, operation.signal.aborted], ['TIMEOUT', 'part', false])
  })

  it('ends shares with the whole', limit, async () => {
    using operation = new Operation('test', { timeout: 20 })
    const error = await failure(operation.step('part', () => hang(operation.share(1))))
    assert.equal(error.code, 'TIMEOUT')
  })
})

describe("the caller's signal", () => {
  it('ends the step that runs; its reason is the cause', limit, async () => {
    const caller = new AbortController()
    using operation = new Operation('test', { signal: caller.signal })
    const reason = new Error('enough')
    const step = operation.step('wait', hang)
    caller.abort(reason)
    const { code, step: name, cause, retryable } = await failure(step)
    assert.deepEqual(
      { code, name, cause, retryable },
      { code: 'ABORTED', name: 'wait', cause: reason, retryable: true },
    )
  })

  it('that has fired already lets no step begin', async () => {
    using operation = new Operation('test', { signal: AbortSignal.abort('why') })
    const { code, step, cause } = await failure(operation.step('never', () => assert.fail()))
    assert.deepEqual({ code, step, cause }, { code: 'ABORTED', step: 'never', cause: 'why' })
  })

  it('after the timeout changes nothing', limit, async () => {
    const caller = new AbortController()
    using operation = new Operation('test', { signal: caller.signal, timeout: 1 })
    await failure(operation.step('wait', hang))
    caller.abort()
    assert.equal((await failure(operation.step('next', hang))).code, 'TIMEOUT')
  })

  it('that lives on keeps no listener', async () => {
    const caller = new AbortController()
    for (let round = 0; round < 20; round++) {
      using operation = new Operation('test', { signal: caller.signal })
      await operation.step('work', () => Promise.resolve())
    }
    assert.equal(getEventListeners(caller.signal, 'abort').length, 0)
  })
})

describe('a step', () => {
  it('returns what its work does, and is timed', async () => {
    using operation = new Operation('test')
    assert.equal(await operation.step('one', () => Promise.resolve(1)), 1)
    await operation.step('two', () => delay(2))
    await operation.step('two', () => delay(2))
    const { one = -1, two = -1, total = -1 } = operation.trace.timings
    assert.ok(one >= 0 && two > 0 && total >= one + two - 0.01, JSON.stringify(operation.trace.timings))
  })

  it('keeps the innermost name, code and evidence of a failure', async () => {
    using operation = new Operation('test')
    const original = new BrickError('BUSY', 'locked', { details: { lock: 'x' }, retryable: false, cause: 'c' })
    const error = await failure(operation.step('outer', () => operation.step('inner', () => Promise.reject(original))))
    const { code, message, step, details, retryable, cause } = error
    assert.deepEqual(
      { code, message, step, details, retryable, cause },
      {
        code: 'BUSY',
        message: 'locked',
        step: 'inner',
        details: { lock: 'x' },
        retryable: false,
        cause: 'c',
      },
    )
  })

  for (const error of [new TypeError('a defect'), new RangeError('another')]) {
    it(`passes on ${String(error)} as it is`, async () => {
      using operation = new Operation('test')
      await assert.rejects(
        operation.step('work', () => Promise.reject(error)),
        (thrown) => thrown === error,
      )
    })
  }

  it('is told on hostbrick:step when it ends, well or not', async () => {
    const heard: StepMessage[] = []
    const listen = (message: unknown): void => void heard.push(message as StepMessage)
    subscribe('hostbrick:step', listen)
    try {
      using operation = new Operation('test.call')
      await operation.step('good', () => Promise.resolve())
      await failure(operation.step('bad', () => Promise.reject(new BrickError('BUSY', 'locked'))))
    } finally {
      unsubscribe('hostbrick:step', listen)
    }
    assert.deepEqual(
      heard.map(({ call, step, error }) => ({
        call,
        step,
        code: error instanceof BrickError ? error.code : undefined,
      })),
      [
        { call: 'test.call', step: 'good', code: undefined },
        { call: 'test.call', step: 'bad', code: 'BUSY' },
      ],
    )
    assert.ok(!('error' in (heard[0] ?? {})))
  })
})

describe('clean-up', () => {
  it('has time when the deadline has passed', limit, async () => {
    using operation = new Operation('test', { timeout: 400 })
    await failure(operation.step('work', hang))
    let fired = true
    await operation.cleanup('undo', async (signal) => {
      await delay(1)
      fired = signal.aborted
    })
    assert.equal(fired, false)
    assert.ok('undo' in operation.trace.timings)
  })

  it('ends with its own deadline, which says TIMEOUT', limit, async () => {
    using operation = new Operation('test', { timeout: 40 })
    assert.equal((await failure(operation.cleanup('undo', hang))).code, 'TIMEOUT')
  })

  it('does not hear the caller', async () => {
    using operation = new Operation('test', { signal: AbortSignal.abort() })
    await operation.cleanup('undo', (signal) => {
      assert.equal(signal.aborted, false)
      return Promise.resolve()
    })
  })
})

describe('failures of system calls', () => {
  const cases: [string, string, string][] = [
    ['SYSTEM', 'ENOENT', '/nonexistent'],
    ['SYSTEM', 'EISDIR', '/'],
  ]
  for (const [code, errno, path] of cases) {
    it(`${errno} is ${code}`, async () => {
      using operation = new Operation('test')
      const step = operation.step('read', (signal) => finish(binding().readFile('test', path), signal))
      const { code: found, step: name, details } = await failure(step)
      assert.deepEqual(
        { found, name, details },
        {
          found: code,
          name: 'read',
          details: { errno, syscall: 'read', path, detail: undefined },
        },
      )
    })
  }

  for (const errno of [-13, -1]) {
    it(`errno ${-errno} is PERMISSION_DENIED`, async () => {
      const native = Object.assign(new Error('no'), { errno, syscall: 'open', path: '/dev/mem' })
      const job = { result: Promise.reject(native), number: 0 }
      const system: unknown = await finish(job, never).catch((error: unknown) => error)
      const { code, cause, retryable } = asBrickError(system, 'open')
      assert.deepEqual({ code, cause, retryable }, { code: 'PERMISSION_DENIED', cause: system, retryable: false })
    })
  }
})

it('an operation that is over keeps no timer', () => {
  const before = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
  const operations = Array.from({ length: 3 }, () => new Operation('test'))
  for (const operation of operations) operation[Symbol.dispose]()
  const now = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
  assert.equal(now, before)
})
