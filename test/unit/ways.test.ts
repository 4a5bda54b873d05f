import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BrickError } from '../../lib/errors.ts'
import { asGuess } from '../../lib/volume/guess.ts'
import { stillMissing } from '../../lib/volume/rejoining.ts'
import { allFailed, Ways } from '../../lib/volume/ways.ts'
import type { Leftover } from '../../lib/rollback.ts'

class Path {
  readonly volume: string
  undone = 0

  constructor(volume: string) {
    this.volume = volume
  }

  undo(): Promise<Leftover[]> {
    this.undone++
    return Promise.resolve([])
  }
}

const same = (path: Path, first: Path | undefined): boolean => path.volume === (first ?? path).volume
const unreachable = new BrickError('PORTAL_UNREACHABLE', 'no answer')

describe('the ways to a volume', () => {
  it('are tried all at once, and one that fails fails only itself', async () => {
    const path = new Path('a')
    const tried: string[] = []
    const bring = async (way: string): Promise<Path> => {
      tried.push(way)
      await Promise.resolve()
      if (way === 'dead') throw unreachable
      return path
    }
    const ways = new Ways(['dead', 'alive'], bring, same)
    assert.deepEqual(tried, ['dead', 'alive'])
    await ways.settled
    assert.deepEqual(ways.up, [path])
    assert.deepEqual(
      ways.failed.map(({ way, error }) => [way, error.code]),
      [['dead', 'PORTAL_UNREACHABLE']],
    )
  })

  it('settle whatever one fails with', async () => {
    const ways = new Ways(['a'], () => Promise.reject(new TypeError('a defect')), same)
    await ways.settled
    const [failed] = ways.failed
    assert.deepEqual([failed?.error.code, failed?.error.cause], ['SYSTEM', new TypeError('a defect')])
  })

  it('have a first one long before the last has settled', async () => {
    let answer = (): void => undefined
    const late = new Promise<void>((resolve) => {
      answer = resolve
    })
    const ways = new Ways(
      ['late', 'early'],
      async (way) => {
        if (way === 'late') await late
        return new Path('a')
      },
      same,
    )
    await ways.first
    assert.equal(ways.up.length, 1)
    answer()
    await ways.settled
    assert.equal(ways.up.length, 2)
  })

  it('have no first one when all have failed', async () => {
    const ways = new Ways(['one', 'two'], () => Promise.reject(unreachable), same)
    await ways.first
    assert.equal(ways.failed.length, 2)
  })

  it('to another volume than the first are taken down again', async () => {
    const paths = [new Path('a'), new Path('b')]
    const ways = new Ways([0, 1], (way) => Promise.resolve(paths[way] ?? assert.fail()), same)
    await ways.settled
    assert.deepEqual(
      paths.map(({ undone }) => undone),
      [0, 1],
    )
    assert.equal(ways.failed[0]?.error.code, 'IDENTITY_MISMATCH')
  })

  it('are all taken down together', async () => {
    const paths = [new Path('a'), new Path('a')]
    const ways = new Ways([0, 1], (way) => Promise.resolve(paths[way] ?? assert.fail()), same)
    await ways.undo()
    assert.deepEqual(
      paths.map(({ undone }) => undone),
      [1, 1],
    )
  })
})

describe('the ways that are still missing', () => {
  it('are those that have failed and may still come up', async () => {
    const failures: Readonly<Record<string, Error>> = {
      refused: new BrickError('AUTH_FAILED', 'no'),
      unreachable,
      unmapped: new BrickError('LUN_NOT_MAPPED', 'no'),
      broken: new TypeError('a defect'),
    }
    const ways = ['alive', ...Object.keys(failures)].map((portal) => ({ portal }))
    const bring = ({ portal }: { portal: string }): Promise<unknown> =>
      portal in failures ? Promise.reject(failures[portal] ?? assert.fail()) : Promise.resolve()
    const missing = async (guessed: boolean): Promise<string[]> => {
      const left = await stillMissing(
        ways.map((way) => ({ ...way, guessed })),
        bring,
      )
      return left.map(({ portal }) => portal)
    }
    assert.deepEqual(await missing(false), ['unreachable', 'unmapped', 'broken'])
    // A guess that shows nothing was wrong.
    assert.deepEqual(await missing(true), ['unreachable', 'broken'])
  })
})

describe('the failure of a guess', () => {
  it('is that it leads to nothing when it leads to another volume', () => {
    const failure = new BrickError('IDENTITY_MISMATCH', 'no', { step: 'scan', details: { hctl: '0:0:0:1' } })
    const { code, retryable, step, details, cause } = asGuess(failure)
    assert.deepEqual([code, retryable, step, details], ['LUN_NOT_MAPPED', false, 'scan', failure.details])
    assert.equal(cause, failure)
  })

  it('is else the failure of its portal', () => {
    assert.equal(asGuess(unreachable), unreachable)
  })
})

describe('several failures', () => {
  it('are the first, with all as evidence', () => {
    const refused = new BrickError('AUTH_FAILED', 'no', { step: 'login', details: { portal: '10.0.0.2:3260' } })
    const error = allFailed([refused, unreachable])
    assert.equal(error.code, 'AUTH_FAILED')
    assert.equal(error.retryable, false)
    assert.deepEqual(error.details, {
      portal: '10.0.0.2:3260',
      failures: [
        { code: 'AUTH_FAILED', step: 'login', message: 'no' },
        { code: 'PORTAL_UNREACHABLE', step: undefined, message: 'no answer' },
      ],
    })
  })

  it('that are one are that one', () => {
    assert.equal(allFailed([unreachable]), unreachable)
  })
})
