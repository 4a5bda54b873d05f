import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { BrickError, errorCodes } from '../../lib/index.ts'
import type { ErrorCode } from '../../lib/index.ts'

const root = new URL('../../', import.meta.url)

/** The documents that have a table of the codes: a row for each, in the order of lib/errors.ts. */
const documents = ['docs/troubleshooting.md']

const withoutLink = (cell: string): string => cell.trim().replace(/^\[(.*)\]\(.*\)$/, '$1')

describe('error codes', () => {
  for (const document of documents) {
    it(`are what ${document} says`, () => {
      const [, table = ''] = /^\| code .*\n.*\n((?:\|.*\n)*)/m.exec(readFileSync(new URL(document, root), 'utf8')) ?? []
      const rows = table
        .trim()
        .split('\n')
        .map((line) => line.split('|').map(withoutLink))
      assert.deepEqual(
        rows.map((cells) => cells.slice(1, -1)),
        Object.entries(errorCodes).map(([code, { meaning, retryable, csi }]) => {
          return [`\`${code}\``, meaning, retryable ? 'yes' : 'no', `\`${csi}\``]
        }),
      )
    })
  }

  it('have a status of gRPC for CSI', () => {
    const statuses = [
      'CANCELLED',
      'UNKNOWN',
      'INVALID_ARGUMENT',
      'DEADLINE_EXCEEDED',
      'NOT_FOUND',
      'ALREADY_EXISTS',
      'PERMISSION_DENIED',
      'RESOURCE_EXHAUSTED',
      'FAILED_PRECONDITION',
      'ABORTED',
      'OUT_OF_RANGE',
      'UNIMPLEMENTED',
      'INTERNAL',
      'UNAVAILABLE',
      'DATA_LOSS',
      'UNAUTHENTICATED',
    ]
    for (const { csi } of Object.values(errorCodes)) assert.equal(statuses.includes(csi), true, csi)
  })

  it('say whether to try again', () => {
    for (const [code, { retryable }] of Object.entries(errorCodes)) {
      const error = new BrickError(code as ErrorCode, 'x')
      assert.deepEqual([error.retryable, error.step, error.details], [retryable, undefined, {}])
    }
    assert.equal(new BrickError('BUSY', 'x', { retryable: false }).retryable, false)
  })
})
