import assert from 'node:assert/strict'
import { it } from 'node:test'
import { SharedLook } from '../../lib/shared-look.ts'

/** Looks that end when they are told to. */
function looks(): { shared: SharedLook<number>; end: (error?: Error) => void; begun: () => number } {
  let begun = 0
  let end = (_error?: Error): void => undefined
  const look = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const number = ++begun
      end = (error) => {
        if (error) reject(error)
        else resolve(number)
      }
    })
  return {
    shared: new SharedLook(look),
    end: (error) => {
      end(error)
    },
    begun: () => begun,
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

it('who asks while a look is under way gets the next one, with all others', async () => {
  const { shared, end, begun } = looks()
  const first = shared.take()
  await settle()
  const others = [shared.take(), shared.take()]
  await settle()
  assert.equal(begun(), 1)
  end()
  assert.equal(await first, 1)
  await settle()
  end()
  assert.deepEqual(await Promise.all(others), [2, 2])
})

it('a look that fails fails only those who asked for it', async () => {
  const { shared, end } = looks()
  const first = shared.take()
  await settle()
  const next = shared.take()
  end(new Error('no'))
  await assert.rejects(first, /no/)
  await settle()
  end()
  assert.equal(await next, 2)
})
