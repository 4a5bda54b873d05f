import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseSuperblock } from '../../lib/raid/superblock.ts'

interface Written {
  name?: string
  level?: number
  device?: number
  roles?: readonly number[]
}

/** As mdadm 4.4 writes it for a mirror of two. */
function superblock({ name = 'any:volume-1', level = 1, device = 0, roles = [0, 1] }: Written = {}): Buffer {
  const bytes = Buffer.alloc(4096)
  bytes.writeUInt32LE(0xa92b4efc, 0)
  bytes.writeUInt32LE(1, 4)
  bytes.write('f9ce11d89bc0bd275df4baebdebb8303', 16, 'hex')
  bytes.write(name, 32, 'latin1')
  bytes.writeInt32LE(level, 72)
  bytes.writeUInt32LE(2, 92)
  bytes.writeUInt32LE(device, 160)
  bytes.writeUInt32LE(128, 220)
  bytes.fill(0xff, 256, 512)
  for (const [index, role] of roles.entries()) bytes.writeUInt16LE(role, 256 + 2 * index)
  return bytes
}

describe('a superblock', () => {
  it('says which array it is of, and which part of it', () => {
    assert.deepEqual(parseSuperblock(superblock({ device: 1 })), {
      array: 'f9ce11d8-9bc0-bd27-5df4-baebdebb8303',
      name: 'volume-1',
      level: 1,
      device: 1,
      active: [0, 1],
    })
  })

  it('tells devices that have failed, were taken away or are spares from those that have the data', () => {
    for (const role of [0xfffe, 0xffff, 0xfffd]) {
      assert.deepEqual(parseSuperblock(superblock({ roles: [0, role] }))?.active, [0])
      assert.deepEqual(parseSuperblock(superblock({ roles: [role, 1] }))?.active, [1])
    }
  })

  it('has a name with a host before it, or without', () => {
    for (const [written, name] of [
      ['any:volume-1', 'volume-1'],
      ['volume-1', 'volume-1'],
      ['host:volume-1', 'volume-1'],
      ['x'.repeat(32), 'x'.repeat(32)],
      ['', ''],
    ] as const) {
      assert.equal(parseSuperblock(superblock({ name: written }))?.name, name)
    }
  })

  it('of a level below 0, such as linear, has that level', () => {
    assert.equal(parseSuperblock(superblock({ level: -1 }))?.level, -1)
  })

  it('that counts more devices than fit is read as far as it goes', () => {
    const bytes = superblock()
    bytes.writeUInt32LE(0xffff_ffff, 220)
    assert.deepEqual(parseSuperblock(bytes)?.active.slice(0, 2), [0, 1])
  })

  it('is none without its mark, of another version, or cut short', () => {
    const other = superblock()
    other.writeUInt32LE(0, 4)
    for (const bytes of [Buffer.alloc(4096), other, superblock().subarray(0, 4095), Buffer.alloc(0)]) {
      assert.equal(parseSuperblock(bytes), undefined)
    }
  })
})
