/** hostbrick beside os-brick over Fibre Channel, in one boot, in turn: bench-fibre-channel.js [ROUNDS]; see bench.ts. */
import { realpathSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { FibreChannelConnector } from 'hostbrick'
import type { DeviceInfo } from 'hostbrick'
import { run } from '../command.ts'
import { compareInTurn } from '../comparison.ts'
import { Fabric } from '../fc-fabric.ts'
import { OsBrick } from '../os-brick.ts'
import { Report } from '../report.ts'

const rounds = Number(process.argv[2] ?? 9)
const report = new Report('fibre-channel', 'Attach and detach over Fibre Channel')
const osBrick = OsBrick.start()
const fabric = await Fabric.start()
const [initiator] = fabric.initiators
if (!initiator) throw new Error('no port')
// Over one port alone, so that all who are compared attach and detach one disk.
fabric.map(1, { megabytes: 64 }, [initiator])
const connector = new FibreChannelConnector()
const properties = { target_wwn: [fabric.target.portName.replace('0x', '')], target_lun: 1 }
const { scsi_wwn: wwn = '' } = await attachOnce()
const link = `/dev/disk/by-id/scsi-${wwn}`
await compareInTurn(
  report,
  { connector, osBrick, rounds },
  {
    title: 'Fibre Channel, one path',
    protocol: 'FIBRE_CHANNEL',
    connect: () => connector.connectVolume(properties),
    properties,
    multipath: false,
    goals: { connect: 15, disconnect: 4 },
    byHand: {
      connect() {
        writeFileSync(`/sys/class/scsi_host/host${initiator.host}/scan`, '- - 1')
        run('udevadm', 'wait', '--timeout=60', link)
      },
      disconnect() {
        writeFileSync(`/sys/class/block/${basename(realpathSync(link))}/device/delete`, '1')
      },
    },
  },
)
fabric.remove()
await osBrick.stop()
process.exitCode = report.finish()

async function attachOnce(): Promise<DeviceInfo> {
  const info = await connector.connectVolume(properties)
  await connector.disconnectVolume(properties, info)
  return info
}
