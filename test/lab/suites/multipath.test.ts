/** iSCSI over several paths, through the public API, against LIO and multipathd. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { inventory, ISCSIConnector } from 'hostbrick'
import { startIscsid, startMultipathd, type Daemon } from '../daemons.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'

const IQN = 'iqn.2026-11.lab:multipath'
const PORTALS = ['127.0.0.1:3260', '127.0.0.2:3260']
const volume = { target_portals: PORTALS, target_iqns: [IQN, IQN], target_luns: [0, 0] }
const connector = new ISCSIConnector({ useMultipath: true, enforceMultipath: true })

let iscsid: Daemon
let multipathd: Daemon
let target: IscsiTarget
let clean: Snapshot

before(async () => {
  iscsid = await startIscsid()
  multipathd = await startMultipathd()
  target = iscsiTarget({ iqn: IQN, portals: PORTALS, luns: { 0: { megabytes: 64 }, 11: { megabytes: 32 } } })
  await connector.disconnectVolume(volume, await connector.connectVolume(volume, { ready: 'all' }))
  await settled()
  clean = snapshot()
})
after(async () => {
  target.remove()
  await multipathd.stop()
  await iscsid.stop()
})
afterEach(async () => {
  await assertNothingLeft(clean)
})

describe('a volume behind two portals', () => {
  it('is attached as a map of both, and detached', async () => {
    const info = await connector.connectVolume(volume, { ready: 'all' })
    console.log(JSON.stringify(info))
    assert.match(info.path, /^\/dev\/dm-\d+$/)
    assert.equal(info.multipath_id, info.scsi_wwn)
    assert.equal(info.degraded, false)
    assert.deepEqual(
      info.paths.map(({ portal }) => portal).sort(),
      PORTALS,
    )
    const map = (await inventory()).byName.get(info.path.slice(5))
    assert.equal(map?.slaves.length, 2)
    const start = performance.now()
    await connector.disconnectVolume(volume, info)
    console.log(performance.now() - start)
  })
})
