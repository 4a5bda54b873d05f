// On a host with an initiator name and without targets: a portal that nobody listens on, and two of them.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { BrickError, ISCSIConnector } from '../../../lib/index.ts'

mkdirSync('/etc/iscsi')
writeFileSync('/etc/iscsi/initiatorname.iscsi', 'InitiatorName=iqn.2010-10.org.openstack:host\n')

const connector = new ISCSIConnector()
const iqn = 'iqn.2010-10.org.openstack:volume-test'

async function failure(properties: object): Promise<BrickError> {
  const error: unknown = await connector.connectVolume(properties).catch((reason: unknown) => reason)
  return error instanceof BrickError ? error : assert.fail(String(error))
}

const one = await failure({ target_portal: '127.0.0.1:1', target_iqn: iqn, target_lun: 1 })
assert.deepEqual([one.code, one.retryable], ['PORTAL_UNREACHABLE', true], one.message)
assert.match(one.message, /127\.0\.0\.1:1\b/)

const two = await failure({
  target_portals: ['127.0.0.1:1', '127.0.0.1:2'],
  target_iqns: [iqn, iqn],
  target_luns: [1, 1],
})
const { failures } = two.details as { failures: { code: string }[] }
assert.deepEqual(
  [two.code, ...failures.map(({ code }) => code)],
  ['PORTAL_UNREACHABLE', 'PORTAL_UNREACHABLE', 'PORTAL_UNREACHABLE'],
)
