import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { describe, it } from 'node:test'
import type { WalkField, WalkFolder } from '../../lib/binding.ts'
import { readWalk } from '../../lib/inventory/walk.ts'
import type { WalkEntry } from '../../lib/inventory/walk.ts'

const { ENOENT, EACCES, EIO, ENODEV } = constants.errno

const integer = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}
const bytes = (value: string | Buffer): Buffer => Buffer.concat([integer(Buffer.byteLength(value)), Buffer.from(value)])

const fields = (...names: string[]): WalkField[] => names.map((name) => ({ name }))
const folders: WalkFolder[] = [
  { path: 'class/a', attributes: fields('uevent', 'size'), directories: fields('holders') },
  { path: 'class/b', attributes: [], directories: [] },
]

const sized = (...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts)
  return Buffer.concat([integer(content.length), content])
}
const one = sized(
  Buffer.from([0]),
  bytes('sda'),
  bytes('../../devices/pci0/block/sda'),
  bytes('MAJOR=8\n'),
  bytes(Buffer.from([0, 255])),
  integer(2),
  bytes('dm-0'),
  bytes('ü'),
)
const other = sized(Buffer.from([1]), bytes('b'), bytes('/elsewhere'))

const read = (...parts: Buffer[]) => [...readWalk(Buffer.concat(parts), folders)]

/** All that there is to be read of an entry. */
const whole = (entry: WalkEntry) => {
  const { folder, name, path, unreadable } = entry
  const asked = folders[folder] ?? assert.fail('a folder that was not asked for')
  const attributes = new Map(asked.attributes.map((field) => [field.name, entry.bytes(field.name)]))
  const directories = new Map(asked.directories.map((field) => [field.name, entry.names(field.name)]))
  return { folder, name, path, attributes, directories, unreadable }
}

describe('the bytes of a walk', () => {
  it('are none of nothing', () => {
    assert.deepEqual(read(), [])
  })

  it('are entries, each of its folder', () => {
    assert.deepEqual(read(one, other, one).length, 3)
    const [first, second] = read(one, other).map(whole)
    assert.deepEqual(first, {
      folder: 0,
      name: 'sda',
      path: '/pci0/block/sda',
      attributes: new Map([
        ['uevent', Buffer.from('MAJOR=8\n')],
        ['size', Buffer.from([0, 255])],
      ]),
      directories: new Map([['holders', ['dm-0', 'ü']]]),
      unreadable: {},
    })
    assert.deepEqual(second, {
      folder: 1,
      name: 'b',
      path: '/elsewhere',
      attributes: new Map(),
      directories: new Map(),
      unreadable: {},
    })
  })

  for (const [error, unreadable] of [
    [ENOENT, undefined],
    [EACCES, 'EACCES'],
    [EIO, 'EIO'],
    [ENODEV, 'ENODEV'],
  ] as const) {
    it(`say ${unreadable ?? 'nothing'} of what could not be read with errno ${error}`, () => {
      const head = [Buffer.from([0]), bytes('a'), bytes('../../devices/a'), bytes('')]
      const entry = read(sized(...head, integer(-error), integer(-error)))[0] ?? assert.fail()
      assert.deepEqual([entry.text('size'), entry.bytes('size')], [null, null])
      assert.deepEqual([entry.bytes('uevent'), entry.bytes('size')], [Buffer.alloc(0), null])
      assert.equal(entry.names('holders'), null)
      assert.deepEqual(entry.unreadable, unreadable === undefined ? {} : { size: unreadable, holders: unreadable })
    })
  }

  it('tell an empty directory from none', () => {
    const [entry] = read(sized(Buffer.from([0]), bytes('a'), bytes('a'), bytes(''), bytes(''), integer(0)))
    assert.deepEqual(entry?.names('holders'), [])
  })

  it('are refused when cut short, wherever that is', () => {
    for (let length = 1; length < one.length; length++) {
      assert.throws(() => read(one.subarray(0, length)), RangeError, String(length))
    }
  })

  it('are refused of a folder that nobody asked for', () => {
    assert.throws(() => read(sized(Buffer.from([2]), bytes('a'), bytes('a'))), {
      name: 'RangeError',
      message: /folder 2/,
    })
  })

  it('have texts without the newline at their end, and the bytes as they are', () => {
    const [entry] = read(one)
    assert.equal(entry?.text('uevent'), 'MAJOR=8')
    assert.deepEqual(entry.bytes('size'), Buffer.from([0, 255]))
    assert.throws(() => entry.text('ro'), { name: 'RangeError', message: /'ro'/ })
  })

  it('are refused with lengths that lie', () => {
    for (const length of [2 ** 31 - 1, -1, 0]) {
      assert.throws(() => read(integer(length), Buffer.from([1]), bytes('b'), bytes('')), RangeError)
    }
    for (const length of [2 ** 31 - 1, -1]) {
      assert.throws(() => read(sized(Buffer.from([1]), integer(length), bytes(''))), RangeError)
      const head = [Buffer.from([0]), bytes('a'), bytes('a'), bytes(''), bytes('')]
      assert.throws(() => read(sized(...head, integer(1), integer(length))), RangeError)
    }
    assert.throws(() => read(sized(Buffer.from([1]), bytes('b'), bytes(''), bytes('more'))), RangeError)
  })
})
