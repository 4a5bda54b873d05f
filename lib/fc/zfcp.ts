import { binding, failedWith, finish } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { encodeLun } from '../scsi/lun.ts'
import type { KernelLun } from '../scsi/lun.ts'
import { hostLane, hostScan } from '../scsi/unit.ts'
import type { UnitAccess } from '../scsi/unit.ts'
import { together } from '../together.ts'
import type { HostPort, PortPlace } from './ports.ts'
import { formatWwn } from './wwn.ts'

const driver = '/sys/bus/ccw/drivers/zfcp'

/**
 * The units of a zfcp adapter: it reaches only those that its port was told of (drivers/s390/scsi/zfcp_sysfs.c). The
 * kernel scans for the unit before the write returns.
 */
export function zfcpAccess(port: PortPlace, portName: string, lun: KernelLun): UnitAccess {
  const folder = `${driver}/${busIdOf(port)}/${formatWwn(portName)}`
  const unit = `0x${encodeLun(lun).toString('hex')}`
  const write = (file: string, signal: AbortSignal): Promise<void> =>
    finish(binding().writeAttribute(hostLane(port.host), `${folder}/${file}`, unit), signal)
  return {
    async ask(address, signal) {
      try {
        await write('unit_add', signal)
      } catch (error) {
        if (!failedWith(error, 'EEXIST')) throw error
        // It knows the unit, of which somebody has removed the device.
        await hostScan.ask(address, signal)
      }
    },
    async forget(_address, signal) {
      try {
        await write('unit_remove', signal)
      } catch (error) {
        // It was not told of the unit: a virtual adapter (NPIV) finds its units by itself.
        if (!failedWith(error, 'EINVAL', 'ENOENT')) throw error
      }
    },
  }
}

/** Has the adapters open all ports that the fabric shows them; returns when they have. */
export async function searchPorts(ports: readonly HostPort[], signal: AbortSignal): Promise<void> {
  await together(
    ports.map((port) =>
      finish(binding().writeAttribute(hostLane(port.host), `${driver}/${busIdOf(port)}/port_rescan`, '1'), signal),
    ),
  )
}

/** The channel device that the SCSI host belongs to, such as '0.0.1900'. */
function busIdOf({ host, sysfs }: PortPlace): string {
  const busId = new RegExp(`/([\\da-f]+\\.[\\da-f]\\.[\\da-f]{4})/host${host}/`).exec(sysfs)?.[1]
  if (busId !== undefined) return busId
  throw new BrickError('NOT_SUPPORTED', `host${host} is no zfcp adapter`, { details: { sysfs } })
}
