import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BrickError } from '../../lib/errors.ts'
import { parseMultipathStatus } from '../../lib/multipath/map-status.ts'
import type { MapPath, MultipathStatus } from '../../lib/multipath/map-status.ts'

// Linux 6.12, two paths to LIO, as the lab has them.
const table = '1 queue_if_no_path 1 alua 1 1 service-time 0 2 2 8:0 1 1 8:16 1 1 '
const status = '2 1 0 0 1 1 E 0 2 2 8:0 F 1 0 1 8:16 A 0 0 1 '

const parse = (tableText: string, statusText: string): MultipathStatus =>
  parseMultipathStatus({ uuid: 'mpath-x', suspended: false, table: [target(tableText)], status: [target(statusText)] })
const target = (parameters: string, type = 'multipath'): { type: string; parameters: string } => ({ type, parameters })
const path = (devno: string, active = true, failures = 0): MapPath => ({ devno, active, failures })
const broken = { name: 'BrickError', code: 'SYSTEM' }

describe('the status of a multipath map', () => {
  it('has its paths and whether it queues', () => {
    assert.deepEqual(parse(table, status), { queueing: true, paths: [path('8:0', false, 1), path('8:16')] })
  })

  const said = ({ devno, active, failures }: MapPath): string => `${devno} ${active ? 'A' : 'F'} ${failures}`
  for (const [selector, text, ...paths] of [
    ['service-time', 'A 0 2 2 8:16 A 4294967295 0 1 66:112 F 3 0 1 ', '8:16 A 4294967295', '66:112 F 3'],
    ['queue-length', 'A 0 2 1 8:16 A 0 7 8:32 A 1 0 ', '8:16 A 0', '8:32 A 1'],
    ['round-robin', 'A 0 2 0 8:16 A 0 8:32 F 1 ', '8:16 A 0', '8:32 F 1'],
    ['historical-service-time', 'A 2 1024 0 1 3 8:16 A 0 73114 0 81234567890123 ', '8:16 A 0'],
    ['io-affinity', 'E 0 1 1 8:16 A 0 -1 ', '8:16 A 0'],
  ] as const) {
    it(`has the paths of ${selector}`, () => {
      assert.deepEqual(parse(table, `2 0 0 0 1 1 ${text}`).paths.map(said), paths)
    })
  }

  it('has the paths of every group', () => {
    const groups = '2 0 0 0 3 2 E 0 1 0 8:16 A 0 A 0 2 2 8:32 A 2 0 1 8:48 F 1 0 1 D 0 0 0 '
    assert.deepEqual(parse(table, groups).paths.map(said), ['8:16 A 0', '8:32 A 2', '8:48 F 1'])
    assert.deepEqual(parse('0 0 0 0 ', '2 0 0 0 0 0 ').paths, [])
  })

  for (const [text, queueing] of [
    ['0 1 alua 1 1 service-time 0 2 2 8:0 1 1 8:16 1 1 ', false],
    ['0 0 0 0', false],
    ['4 queue_if_no_path pg_init_retries 50 retain_attached_hw_handler 0 1 1 service-time 0 0 2 ', true],
    ['3 pg_init_retries 50 queue_if_no_path 0 0 0', true],
    // Behind the features it is no feature.
    ['1 retain_attached_hw_handler 1 queue_if_no_path 0 0', false],
  ] as const) {
    it(`${queueing ? 'queues' : 'does not queue'} with the table '${text}'`, () => {
      assert.equal(parse(text, status).queueing, queueing)
    })
  }

  for (const [name, text] of [
    ['nothing', ''],
    ['blanks', '   '],
    ['no numbers', 'two 0 0 0'],
    ['a number below 0', '2 0 0 0 -1 1 '],
    ['a group in an unknown state', '2 0 0 0 1 1 X 0 1 0 8:0 A 0 '],
    ['a path in an unknown state', '2 0 0 0 1 1 A 0 1 0 8:0 G 0 '],
    ['a path by its name', '2 0 0 0 1 1 A 0 1 0 sda A 0 '],
    ['a failure count that is none', '2 0 0 0 1 1 A 0 1 0 8:0 A some '],
    ['fewer groups than it says', '2 0 0 0 2 1 A 0 1 0 8:0 A 0 '],
    ['more groups than it says', '2 0 0 0 1 1 A 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 '],
    ['more arguments than it says', '2 0 0 0 1 1 A 0 2 1 8:0 A 0 0 1 8:16 A 0 0 1 '],
    ['more words than there can be', '9999999999 '],
    ['another target', '0 32768 linear'],
  ] as const) {
    it(`is refused with ${name}`, () => {
      assert.throws(() => parse(table, text), broken)
    })
  }

  it('names what could not be read', () => {
    assert.throws(
      () => parse(table, '2 0 0 0 1 1 A 0 1 0 sda A 0 '),
      (error) => {
        assert.ok(error instanceof BrickError, String(error))
        assert.equal(error.details['word'], 10)
        return true
      },
    )
  })

  it('is refused when the map is no multipath map, or a map of several targets', () => {
    const state = { uuid: '', suspended: false, table: [target(table)], status: [target(status)] }
    for (const targets of [[], [target(table, 'linear')], [target(table), target(table)]]) {
      assert.throws(() => parseMultipathStatus({ ...state, table: targets }), broken)
      assert.throws(() => parseMultipathStatus({ ...state, status: targets }), broken)
    }
  })

  it('is refused, or is the same, when it or the table is cut', () => {
    const whole = parse(table, status)
    const cuts = [
      ...Array.from({ length: status.length }, (_, size) => [table, status.slice(0, size)] as const),
      ...Array.from({ length: table.length }, (_, size) => [table.slice(0, size), status] as const),
    ]
    let same = 0
    for (const [tableText, statusText] of cuts) {
      try {
        assert.deepEqual(parse(tableText, statusText), whole)
        same++
      } catch (error) {
        assert.ok(error instanceof BrickError, String(error))
      }
    }
    // Those that lack but the blank at the end.
    assert.equal(same, 2)
  })

  it('is read or refused, whatever its words are', () => {
    const words = ['0', '1', '2', '3', 'A', 'F', 'E', '8:0', '8:16', '4294967295', 'x', '']
    let seed = 1
    const below = (end: number): number => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 16) % end
    for (let round = 0; round < 20_000; round++) {
      const changed = status.split(' ')
      for (let changes = 1 + below(3); changes > 0; changes--) {
        changed.splice(below(changed.length), below(2), words[below(words.length)] ?? '')
      }
      try {
        for (const { devno, failures } of parse(table, changed.join(' ')).paths) {
          assert.match(devno, /^\d+:\d+$/)
          assert.ok(Number.isInteger(failures), changed.join(' '))
        }
      } catch (error) {
        assert.ok(error instanceof BrickError, String(error))
      }
    }
  })
})
