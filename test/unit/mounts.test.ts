import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mountOf, parseMounts, rootMount } from '../../lib/host/mounts.ts'

const mountinfo = `21 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
22 21 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 master:3 - sysfs sysfs rw
23 22 0:6 / /sys/kernel/debug rw - debugfs debugfs rw
30 21 0:44 /a /mnt/with\\040blank\\011tab ro,relatime - btrfs /dev/sdb\\134x rw,subvol=/a
31 21 0:45 / /run rw - tmpfs  rw,size=1k
40 22 0:20 / /sys ro,nosuid - sysfs sysfs rw
not a line
`

describe('mounts', () => {
  const mounts = parseMounts(mountinfo)

  it('are read with what is escaped in them', () => {
    assert.equal(mounts.length, 6)
    assert.deepEqual(mounts[0], { devno: '8:2', path: '/', readOnly: false, type: 'ext4', source: '/dev/sda2' })
    assert.deepEqual(mounts[3], {
      devno: '0:44',
      path: '/mnt/with blank\ttab',
      readOnly: true,
      type: 'btrfs',
      source: '/dev/sdb\\x',
    })
    assert.equal(mounts[4]?.source, '')
  })

  it('are read-only by themselves or by what is mounted', () => {
    const [mount] = parseMounts('1 2 0:1 / / rw - squashfs /dev/loop0 ro\n')
    assert.equal(mount?.readOnly, true)
  })

  const found: [string, string | undefined][] = [
    ['/', '/dev/sda2'],
    ['/etc/passwd', '/dev/sda2'],
    ['/sysfs', '/dev/sda2'],
    ['/sys', 'sysfs'],
    ['/sys/class', 'sysfs'],
    ['/sys/kernel/debug/x', 'debugfs'],
  ]
  for (const [path, source] of found) {
    it(`${path} is on ${String(source)}`, () => {
      assert.equal(mountOf(path, mounts)?.source, source)
    })
  }

  it('hide what was mounted at the same place before', () => {
    assert.equal(mountOf('/sys/class', mounts)?.readOnly, true)
    assert.equal(mountOf('/sys', [])?.source, undefined)
  })

  it('have one root, which hides those before it', () => {
    assert.equal(rootMount(mountinfo)?.source, '/dev/sda2')
    assert.equal(rootMount(`${mountinfo}50 21 0:50 / / rw - overlay overlay rw\n`)?.source, 'overlay')
    assert.equal(rootMount('not a line\n'), undefined)
  })
})
