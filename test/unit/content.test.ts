import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { recognize } from '../../lib/block/content.ts'

function marked(offset: number, mark: string): Buffer {
  const bytes = Buffer.alloc(128 * 1024)
  bytes.write(mark, offset, 'latin1')
  return bytes
}

describe('what is on a device', () => {
  const known: [string, number, string][] = [
    ['crypto_LUKS', 0, 'LUKS\xba\xbe'],
    ['linux_raid_member', 4096, '\xfc\x4e\x2b\xa9'],
    ['LVM2_member', 512, 'LABELONE'],
    ['xfs', 0, 'XFSB'],
    ['ext', 1024 + 56, '\x53\xef'],
    ['btrfs', 64 * 1024 + 64, '_BHRfS_M'],
    ['swap', 4096 - 10, 'SWAPSPACE2'],
    ['gpt', 512, 'EFI PART'],
    ['gpt', 4096, 'EFI PART'],
    ['dos', 510, '\x55\xaa'],
  ]
  for (const [format, offset, mark] of known) {
    it(`is ${format} by its mark at ${offset}`, () => {
      assert.equal(recognize(marked(offset, mark)), format)
      assert.equal(recognize(marked(offset + 1, mark)), undefined)
    })
  }

  it('is none of them without a mark, or on a device that is too small for one', () => {
    for (const size of [0, 1, 512, 4096]) assert.equal(recognize(Buffer.alloc(size)), undefined)
  })
})
