import { invalid } from '../errors.ts'
import { byPathLun, decodeLun, encodeLun, toKernelLun } from '../scsi/lun.ts'
import type { AddressingMode, BackendLun, KernelLun } from '../scsi/lun.ts'
import { hostScan } from '../scsi/unit.ts'
import type { UnitAccess } from '../scsi/unit.ts'
import type { FibreChannelTarget } from '../properties/fibre-channel.ts'
import type { HostPort, PortPlace } from './ports.ts'
import { formatWwn } from './wwn.ts'
import { searchPorts, zfcpAccess } from './zfcp.ts'

/** What is different about Fibre Channel from machine to machine. */
export interface Architecture {
  /** How the kernel counts a backend's LUN. */
  kernelLun(lun: BackendLun, mode: AddressingMode): KernelLun
  /** How a unit behind a port is found, and forgotten. */
  access(port: PortPlace, target: FibreChannelTarget): UnitAccess
  /** Makes adapters look for ports that they do not know. */
  search(ports: readonly HostPort[], signal: AbortSignal): Promise<void>
  /** How the names end that udev gives a unit in /dev/disk/by-path, from one distribution to the next. */
  linkEndings(target: FibreChannelTarget): string[]
}

/** PCI adapters, and those of a Power hypervisor, whose links only lack the name of a PCI device before 'fc-'. */
const ordinary: Architecture = {
  kernelLun: toKernelLun,
  access: () => hostScan,
  search: () => Promise.resolve(),
  linkEndings: ({ portName, lun }) => [`fc-${formatWwn(portName)}-lun-${byPathLun(lun)}`],
}

/** IBM Z: channel-attached adapters (zfcp), which are told of every unit. */
const channelAttached: Architecture = {
  kernelLun: wireOrderLun,
  access: (port, { portName, lun }) => zfcpAccess(port, portName, lun),
  search: searchPorts,
  linkEndings({ portName, lun }) {
    const port = formatWwn(portName)
    const wire = `0x${encodeLun(lun).toString('hex')}`
    return [`zfcp-${port}:${wire}`, `fc-${port}-lun-${wire}`, `fc-${port}-lun-${lun}`]
  },
}

/** By the name that the machine, Node or os-brick has for it. @throws BrickError INVALID_ARGUMENT */
export function architectureOf(name: unknown): Architecture {
  if (typeof name !== 'string' || name === '') throw invalid('arch', 'the name of an architecture', name)
  return /^s390x?$/i.test(name) ? channelAttached : ordinary
}

/**
 * There the backend's LUN is that of the channel world, the 8 bytes read as one number without the zeros at their end: two
 * words are the first and the second, where the kernel counts the second word higher.
 */
function wireOrderLun(lun: BackendLun, mode: AddressingMode): KernelLun {
  const counted = toKernelLun(lun, mode)
  if (counted <= 0xffff) return counted
  if (counted > 0xffff_ffff) throw invalid('target_lun', 'at most 32 bits', lun)
  const wire = Buffer.alloc(8)
  wire.writeUInt32BE(counted)
  return decodeLun(wire) ?? counted
}
