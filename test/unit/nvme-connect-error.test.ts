import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asSystemError } from '../../lib/binding.ts'
import { BrickError } from '../../lib/errors.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { nvmeAddress } from '../../lib/nvme/address.ts'
import { connectError, notConnected } from '../../lib/nvme/connect-error.ts'
import { failure } from './recorded-nvme.ts'

const nqn = 'nqn.2026-11.test:auth-db'
const address = nvmeAddress('tcp', { traddr: '192.0.2.10' }, 'x')

// As nvmf_log_connect_error in drivers/nvme/host/fabrics.c writes them.
const reasons: [string, ErrorCode][] = [
  [`Connect Invalid Data Parameter, subsysnqn "${nqn}"`, 'TARGET_NOT_FOUND'],
  [`Connect Invalid Data Parameter, hostnqn "nqn.2026-11.test:authentic"`, 'TARGET_NOT_FOUND'],
  ['Connect command failed: authentication required', 'AUTH_FAILED'],
  ['qid 0: authentication setup failed', 'AUTH_FAILED'],
  [`Connect for subsystem ${nqn} is not allowed, hostnqn: nqn.2026-11.test:host`, 'AUTH_FAILED'],
  [`Connect command failed, subsysnqn "${nqn}"`, 'LOGIN_FAILED'],
  [`Connect command failed, subsysnqn ${nqn}`, 'LOGIN_FAILED'],
  ['', 'LOGIN_FAILED'],
]

describe('what the kernel says of a connect that has failed', () => {
  for (const [reason, code] of reasons) {
    it(`${JSON.stringify(reason)} is ${code}`, () => {
      assert.equal(notConnected(reason, nqn, address).code, code)
      const error = connectError(asSystemError(Object.assign(failure('EIO', 'x'), { detail: reason })), nqn, address)
      assert.equal(error instanceof BrickError && error.code, code)
    })
  }

  it('is no matter of authentication because a name has that in it', () => {
    const lost = Object.assign(failure('ECONNRESET', 'x'), { detail: `new ctrl: NQN "${nqn}", addr 192.0.2.10:4420` })
    const error = connectError(asSystemError(lost), nqn, address)
    assert.equal(error instanceof BrickError && error.code, 'PORTAL_UNREACHABLE')
  })
})
