import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { describe, it } from 'node:test'
import { readWalk } from '../../lib/inventory/walk.ts'
import type { WalkEntry } from '../../lib/inventory/walk.ts'
import { WalkPlan } from '../../lib/inventory/walk-plan.ts'
import type { WalkField, WalkFolder } from '../../lib/inventory/walk-plan.ts'

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

/** An entry of a folder with what is in its fields. */
const entryOf = (folder: number, name: Buffer, path: Buffer, ...content: Buffer[]): Buffer => {
  const lengths = content.map(({ length }) => length)
  const first = 4 * (1 + content.length) + name.length + path.length
  const places = lengths.map((_, number) => first + lengths.slice(0, number).reduce((sum, length) => sum + length, 0))
  const parts = Buffer.concat([integer(folder), ...places.map(integer), name, path, ...content])
  return Buffer.concat([integer(parts.length), parts])
}
const names = (...texts: string[]): Buffer => Buffer.concat([integer(texts.length), ...texts.map(bytes)])
const one = entryOf(
  0,
  bytes('sda'),
  bytes('/pci0/block/sda'),
  bytes('MAJOR=8\n'),
  bytes(Buffer.from([0, 255])),
  names('dm-0', 'ü'),
)
const other = entryOf(1, bytes('b'), bytes('/elsewhere'))

const read = (...parts: Buffer[]) => [...readWalk(Buffer.concat(parts), new WalkPlan(folders))]

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
      const failed = integer(-error)
      const [entry = assert.fail()] = read(entryOf(0, bytes('a'), bytes('/a'), bytes(''), failed, failed))
      assert.deepEqual([entry.text('size'), entry.bytes('size')], [null, null])
      assert.deepEqual([entry.bytes('uevent'), entry.bytes('size')], [Buffer.alloc(0), null])
      assert.equal(entry.names('holders'), null)
      assert.deepEqual(entry.unreadable, unreadable === undefined ? {} : { size: unreadable, holders: unreadable })
    })
  }

  it('tell an empty directory from none', () => {
    const [entry] = read(entryOf(0, bytes('a'), bytes('a'), bytes(''), bytes(''), names()))
    assert.deepEqual(entry?.names('holders'), [])
  })

  it('are refused when cut short, wherever that is', () => {
    for (let length = 1; length < one.length; length++) {
      assert.throws(() => read(one.subarray(0, length)).map(whole), RangeError, String(length))
    }
  })

  it('are refused of a folder that nobody asked for', () => {
    assert.throws(() => read(entryOf(2, bytes('a'), bytes('a'))), {
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
      assert.throws(() => read(integer(length), integer(1), bytes('b'), bytes('')), RangeError)
    }
    for (const length of [2 ** 31 - 1, -1]) {
      assert.throws(() => read(entryOf(1, integer(length), bytes(''))), RangeError)
      const [entry] = read(entryOf(0, bytes('a'), bytes('a'), bytes(''), integer(length), names()), one)
      if (length > 0) assert.throws(() => entry?.text('size'), RangeError)
      const [listing] = read(
        entryOf(0, bytes('a'), bytes('a'), bytes(''), bytes(''), Buffer.concat([integer(1), integer(length)])),
      )
      assert.throws(() => listing?.names('holders'), RangeError)
    }
  })

  it('say what is not as it was before', () => {
    const resized = entryOf(
      0,
      bytes('sda'),
      bytes('/pci0/block/sda'),
      bytes('MAJOR=8\n'),
      bytes('longer'),
      names('dm-0', 'ü'),
    )
    const [first, same, another, changed] = read(one, one, other, resized)
    assert.ok(first && same && another && changed)
    assert.deepEqual(same.changedSince(first), [])
    assert.deepEqual(changed.changedSince(first), ['size'])
    assert.equal(another.changedSince(first), undefined)
  })

  it('tell whether there is an attribute, and how it begins', () => {
    const [entry] = read(one)
    assert.deepEqual(
      [entry?.has('uevent'), entry?.begins('uevent', 'MAJOR='), entry?.begins('uevent', 'MINOR=')],
      [true, true, false],
    )
    const [failed] = read(entryOf(0, bytes('a'), bytes('a'), integer(-ENOENT), bytes('8'), integer(-ENOENT)))
    assert.deepEqual(
      [failed?.has('uevent'), failed?.begins('uevent', ''), failed?.begins('size', '88')],
      [false, false, false],
    )
  })
})
