/** What is made of multipathd's answers. The conversation itself is the lab's. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BrickError } from '../../lib/errors.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { frame, frameSize, unframe, verdict } from '../../lib/multipath/daemon.ts'

describe('a frame', () => {
  it('has a length before it and NUL after it', () => {
    const [length, ...body] = [frame('show status').subarray(0, 8), ...frame('show status').subarray(8)]
    assert.deepEqual([...length].sort(), [0, 0, 0, 0, 0, 0, 0, 12])
    assert.equal(Buffer.from(body).toString(), 'show status\0')
  })

  it('is read as it was made, but for a newline at its end', () => {
    for (const [text, read] of [
      ['ok\n', 'ok'],
      ['blacklisted', 'blacklisted'],
      ['', ''],
      ['\n', ''],
      ['a\n\n', 'a\n'],
      ['müll\n', 'müll'],
    ] as const) {
      assert.equal(frameSize(frame(text)), frame(text).length)
      assert.equal(unframe(frame(text)), read)
    }
  })

  it('says its size as soon as its length is there', () => {
    assert.equal(frameSize(frame('x'.repeat(100_000)).subarray(0, 8)), 100_009)
  })

  it('of no byte, or of more than 32 MiB, is none', () => {
    const withLength = (length: bigint): Buffer => {
      const bytes = frame('ok')
      bytes.set(new Uint8Array(new BigUint64Array([length]).buffer))
      return bytes
    }
    assert.equal(frameSize(withLength(32n << 20n)), (32 << 20) + 8)
    for (const length of [0n, (32n << 20n) + 1n, 1n << 32n, 0xffff_ffff_ffff_ffffn]) {
      assert.throws(() => frameSize(withLength(length)), RangeError)
    }
  })

  it('that is cut, goes on, or has no NUL where it should is refused', () => {
    const whole = frame('ok\n')
    for (let size = 0; size < whole.length; size++) {
      assert.throws(() => unframe(whole.subarray(0, size)), `${size} bytes`)
    }
    assert.throws(() => unframe(Buffer.concat([whole, Buffer.from('x')])))
    assert.throws(() => unframe(frame('o\0k')))
    const unended = Buffer.from(whole)
    unended[unended.length - 1] = 0x78
    assert.throws(() => unframe(unended))
  })
})

// As 0.11.1 writes it, shortened.
const commands = 'multipath-tools v0.11.1 (01/24, 2025)\nCLI commands reference:\n list|show paths\n help'

describe('an answer', () => {
  for (const answer of [
    'ok',
    'blacklisted',
    'delayed',
    '',
    'pid 222 idle',
    'path checker states:\nup                  2\n\npaths: 2\nbusy: False',
    '{\n   "major_version": 0,\n   "maps": [{ "name": "fail" }]\n}',
    'failover',
    'timeouts 3',
    'name\nfail\ndevice not found',
  ]) {
    it(`${JSON.stringify(answer)} is one`, () => {
      assert.equal(verdict('show', answer), answer)
    })
  }

  const failures: readonly [string, ErrorCode, boolean][] = [
    ['fail', 'TOOL_FAILED', true],
    ['fail\nmap or partition in use', 'DEVICE_IN_USE', true],
    ['fail\ndevice not found', 'DEVICE_NOT_FOUND', true],
    ['fail\npermission deny: need to be root', 'PERMISSION_DENIED', false],
    ['permission deny: need to be root', 'PERMISSION_DENIED', false],
    ['timeout', 'TIMEOUT', true],
    ['fail\ntimeout', 'TIMEOUT', true],
    [`fail\nshow: not found\n${commands}`, 'TOOL_FAILED', true],
    [`show: Missing argument\n${commands}`, 'TOOL_FAILED', true],
    [commands, 'TOOL_FAILED', true],
  ]
  for (const [answer, code, retryable] of failures) {
    it(`${JSON.stringify(answer.slice(0, 40))} is ${code}`, () => {
      assert.throws(
        () => verdict('show', answer),
        (error) => {
          assert.ok(error instanceof BrickError, String(error))
          assert.deepEqual([error.code, error.retryable, error.details['command']], [code, retryable, 'show'])
          assert.doesNotMatch(JSON.stringify([error.message, error.details]), /CLI commands/)
          return true
        },
      )
    })
  }

  it('keeps the complaint where all commands are listed', () => {
    assert.throws(() => verdict('show', `fail\nshow: Missing argument\n${commands}`), {
      message: "multipathd, 'show': fail: show: Missing argument",
    })
  })
})
