import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

const loaded = (): boolean => readFileSync('/proc/self/maps', 'utf8').includes('hostbrick.node')

const { inventory, ISCSIConnector, metrics } = await import('../../../lib/index.ts')
await assert.rejects(new ISCSIConnector().connectVolume({}), { code: 'INVALID_ARGUMENT' })
assert.deepEqual(metrics().threads, { threads: 0, queued: 0, running: 0, parked: 0 })
assert.equal(loaded(), false)
await inventory()
assert.equal(loaded(), true)
