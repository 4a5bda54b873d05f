import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isLink, linkTo, originalPath } from '../../lib/encryption/link-name.ts'
import { readDeviceInfo } from '../../lib/properties/device-info.ts'

describe('the link of an encrypted volume', () => {
  for (const [path, link] of [
    ['/dev/sda', '/dev/disk/by-id/os-brick+dev+sda'],
    ['/dev/dm-3', '/dev/disk/by-id/os-brick+dev+dm-3'],
    ['/dev/md/volume-1', '/dev/disk/by-id/os-brick+dev+md+volume-1'],
  ] as const) {
    it(`to ${path} is called as os-brick calls it, and back`, () => {
      assert.equal(linkTo(path), link)
      assert.equal(originalPath(link), path)
      assert.equal(isLink(link), true)
    })
  }

  it('is no other link', () => {
    for (const path of ['/dev/sda', '/dev/disk/by-id/scsi-36001405', '/dev/disk/by-id/os-brick', '']) {
      assert.equal(isLink(path), false)
      assert.equal(originalPath(path), path)
    }
  })

  it('is taken for the device that it was made for in a device info', () => {
    assert.equal(readDeviceInfo({ path: '/dev/disk/by-id/os-brick+dev+nvme0n1' }).path, '/dev/nvme0n1')
  })
})
