/** Where the time of an attach and a detach goes, step by step: rounds.js [ROUNDS] */
import { subscribe } from 'node:diagnostics_channel'
import { ISCSIConnector } from 'hostbrick'
import type { StepMessage } from 'hostbrick'
import { startIscsid } from '../daemons.ts'
import { iscsiTarget } from '../targets.ts'

const rounds = Number(process.argv[2] ?? 5)
const iqn = 'iqn.2026-11.lab:rounds'
const iscsid = await startIscsid()
const target = iscsiTarget({ iqn, portals: ['127.0.0.1:3260'], luns: { 0: { megabytes: 64 } } })
const volume = { target_portal: '127.0.0.1:3260', target_iqn: iqn, target_lun: 0 }
const connector = new ISCSIConnector()

subscribe('hostbrick:step', (message) => {
  const { call, step, start, milliseconds } = message as StepMessage
  console.log(`${call.padEnd(24)} ${step.padEnd(10)} ${start.toFixed(1).padStart(8)} + ${milliseconds.toFixed(1)} ms`)
})
for (let round = 0; round < rounds; round++) {
  const start = performance.now()
  const info = await connector.connectVolume(volume)
  const attached = performance.now()
  await connector.disconnectVolume(volume, info)
  const detached = performance.now()
  console.log(
    `round ${round}: attach ${(attached - start).toFixed(0)} ms, detach ${(detached - attached).toFixed(0)} ms`,
  )
}
target.remove()
await iscsid.stop()
