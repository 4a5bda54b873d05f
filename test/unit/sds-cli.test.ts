import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseAnswer } from '../../lib/cli/sds-cli.ts'

describe("sds_cli's answer", () => {
  const read: [string, string, ReturnType<typeof parseAnswer>][] = [
    [
      'whole',
      'ret_code=0\nret_desc=success\ndev_addr=/dev/vdb\n',
      { code: 0, description: 'success', device: '/dev/vdb' },
    ],
    ['a code alone', 'ret_code=50151401', { code: 50151401, description: undefined, device: undefined }],
    [
      'among other lines, and with an equals sign in a value',
      'starting\nx=y\n ret_code = -1 \r\nret_desc=a=b\n',
      { code: -1, description: 'a=b', device: undefined },
    ],
    ['nothing at all', '', undefined],
    ['no code', 'ret_desc=what\n', undefined],
    ['a code that is no number', 'ret_code=\nret_code=abc\n', undefined],
    ['a code that is a number in part', 'ret_code=0x10', undefined],
  ]
  for (const [name, output, expected] of read) {
    it(name, () => {
      assert.deepEqual(parseAnswer(output), expected)
    })
  }
})
