import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Doubts } from '../../lib/inventory/doubts.ts'
import { SharedLook } from '../../lib/shared.ts'

describe('doubts', () => {
  it('are each name once, until they are taken', () => {
    const doubts = new Doubts()
    assert.equal(doubts.isEmpty, true)
    for (const name of ['sda', 'sdb', 'sda']) doubts.add(name)
    assert.equal(doubts.isEmpty, false)
    assert.deepEqual(doubts.take(), { all: false, names: ['sda', 'sdb'] })
    assert.equal(doubts.isEmpty, true)
    assert.deepEqual(doubts.take(), { all: false, names: [] })
  })

  it('of all, or of very many, are about all', () => {
    const doubts = new Doubts()
    doubts.add('sda')
    doubts.addAll()
    doubts.add('sdb')
    assert.deepEqual(doubts.take(), { all: true, names: [] })
    for (let number = 0; number < 2000; number++) doubts.add(`sd${number}`)
    assert.deepEqual(doubts.take(), { all: true, names: [] })
  })

  it('are joined by others, which stay', () => {
    const [doubts, others] = [new Doubts(), new Doubts()]
    others.add('dm-0')
    doubts.add('sda')
    for (let round = 0; round < 2; round++) {
      doubts.join(others)
      assert.ok(doubts.take().names.includes('dm-0'), 'joined')
    }
    others.addAll()
    doubts.join(others)
    assert.equal(doubts.take().all, true)
  })
})

describe('a shared look', () => {
  it('is one for all who ask together, and another for who asks while it runs', async () => {
    let looks = 0
    let end = (): void => undefined
    const shared = new SharedLook(async () => {
      const number = ++looks
      await new Promise<void>((resolve) => (end = resolve))
      return number
    })
    const together = [shared.take(), shared.take()]
    await new Promise(setImmediate)
    const late = [shared.take(), shared.take()]
    await new Promise(setImmediate)
    assert.equal(looks, 1)
    end()
    assert.deepEqual(await Promise.all(together), [1, 1])
    await new Promise(setImmediate)
    end()
    assert.deepEqual(await Promise.all(late), [2, 2])
  })

  it('that fails is another one next time', async () => {
    let looks = 0
    const shared = new SharedLook(() => (++looks === 1 ? Promise.reject(new Error('no')) : Promise.resolve(looks)))
    await assert.rejects(shared.take(), /no/)
    assert.equal(await shared.take(), 2)
  })
})
