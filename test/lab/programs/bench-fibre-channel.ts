/** hostbrick beside os-brick over Fibre Channel, in one boot, in turn: bench-fibre-channel.js [ROUNDS]; see bench.ts. */
import { FibreChannelConnector } from 'hostbrick'
import { compareInTurn, reportMissed } from '../comparison.ts'
import { Fabric } from '../fc-fabric.ts'
import { OsBrick } from '../os-brick.ts'

const rounds = Number(process.argv[2] ?? 9)
const osBrick = OsBrick.start()
const fabric = await Fabric.start()
fabric.map(1, { megabytes: 64 })
const connector = new FibreChannelConnector()
const properties = { target_wwn: [fabric.target.portName.replace('0x', '')], target_lun: 1 }
await compareInTurn(
  { connector, osBrick, rounds },
  {
    title: 'Fibre Channel, one path',
    protocol: 'FIBRE_CHANNEL',
    connect: () => connector.connectVolume(properties),
    properties,
    multipath: false,
    goals: { connect: 15, disconnect: 4 },
  },
)
fabric.remove()
await osBrick.stop()
reportMissed()
