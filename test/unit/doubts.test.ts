import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Doubts } from '../../lib/inventory/doubts.ts'

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
