import { invalid } from '../errors.ts'
import { formatHost, formatPortal, readBracketedHost, readHost, readPort } from '../network/portal.ts'
import type { Portal } from '../network/portal.ts'

/** What NVMe over Fabrics runs over, by the kernel's names. */
export type NvmeTransport = 'tcp' | 'rdma' | 'fc' | 'loop'

/** Where a controller is reached, by the specification's names and in canonical form: equal addresses have equal fields. */
export interface NvmeAddress {
  readonly transport: NvmeTransport
  /** An IP address or host name; 'nn-0x…:pn-0x…' with Fibre Channel; empty with the loop transport. */
  readonly traddr: string
  /** The port; only with TCP and RDMA. */
  readonly trsvcid?: number
  /** The address, or Fibre Channel port, of this host that it is reached from. */
  readonly hostTraddr?: string
  /** The network interface of this host that it is reached through. */
  readonly hostIface?: string
}

/** An address as others write it. */
export interface WrittenAddress {
  readonly traddr?: unknown
  readonly trsvcid?: unknown
  readonly hostTraddr?: unknown
  readonly hostIface?: unknown
}

/** NVMe/TCP's and NVMe/RDMA's port for controllers with namespaces, and what the kernel takes where none is given. */
const defaultPort = 4420

/**
 * Canonical form. What a transport does not have may be absent, empty, or 'none', as the kernel and discovery write it.
 *
 * @throws BrickError INVALID_ARGUMENT naming `field` and the part that is missing or malformed
 */
export function nvmeAddress(transport: NvmeTransport, written: WrittenAddress, field: string): NvmeAddress {
  const { traddr, trsvcid, hostTraddr, hostIface } = written
  return {
    transport,
    traddr: isAbsent(traddr) && transport === 'loop' ? '' : readTraddr(transport, traddr, `${field}: traddr`),
    ...((transport === 'tcp' || transport === 'rdma') && {
      trsvcid: isAbsent(trsvcid) ? defaultPort : requiredPort(trsvcid, `${field}: trsvcid`),
    }),
    ...(!isAbsent(hostTraddr) && { hostTraddr: readTraddr(transport, hostTraddr, `${field}: host_traddr`) }),
    ...(!isAbsent(hostIface) && { hostIface: interfaceName(hostIface, `${field}: host_iface`) }),
  }
}

/** The transport by any of its names: RoCE is RDMA. @throws BrickError INVALID_ARGUMENT */
export function nvmeTransport(name: unknown, field: string): NvmeTransport {
  const known: Record<string, NvmeTransport> = { tcp: 'tcp', rdma: 'rdma', rocev2: 'rdma', fc: 'fc', loop: 'loop' }
  const key = typeof name === 'string' ? name.toLowerCase() : ''
  const transport = Object.hasOwn(known, key) ? known[key] : undefined
  if (transport === undefined) throw invalid(field, 'tcp, rdma, RoCEv2, fc or loop', name)
  return transport
}

/**
 * A controller's `transport` and `address` in sysfs: 'traddr=10.0.0.1,trsvcid=4420,src_addr=10.0.0.9' (nvmf_get_address in
 * drivers/nvme/host/fabrics.c). Null when it is not reached over a fabric.
 */
export function parseAddressAttribute(transport: string, text: string): NvmeAddress | null {
  const pairs = text.split(',').map((pair) => /^([a-z_]+)=(.*)$/s.exec(pair.trim()))
  const fields = new Map(pairs.map((match) => [match?.[1], match?.[2]]))
  try {
    return nvmeAddress(
      nvmeTransport(transport, 'transport'),
      {
        traddr: fields.get('traddr'),
        trsvcid: fields.get('trsvcid'),
        hostTraddr: fields.get('host_traddr'),
        hostIface: fields.get('host_iface'),
      },
      'address',
    )
  } catch {
    return null
  }
}

/** Whether `address` is that place, from wherever on this host; from the place that `asked` names, if it does. */
export function leadsTo(address: NvmeAddress, asked: NvmeAddress): boolean {
  if (address.transport !== asked.transport || address.traddr !== asked.traddr) return false
  if (address.trsvcid !== asked.trsvcid) return false
  if (asked.hostTraddr !== undefined && address.hostTraddr !== asked.hostTraddr) return false
  return asked.hostIface === undefined || address.hostIface === asked.hostIface
}

/** The portal behind an address over TCP or RDMA, for looking names up and for probing it. */
export function portalOf({ traddr, trsvcid }: NvmeAddress): Portal | undefined {
  if (trsvcid === undefined) return undefined
  const host = readHost(traddr)
  return host && { ...host, port: trsvcid }
}

/** For people and errors: 'tcp 10.0.0.1:4420', 'fc nn-0x…:pn-0x…', 'loop'. */
export function formatAddress(address: NvmeAddress): string {
  return `${address.transport} ${formatPlace(address)}`.trimEnd()
}

/** The same without the transport. */
export function formatPlace(address: NvmeAddress): string {
  const portal = portalOf(address)
  return portal ? formatPortal(portal) : address.traddr
}

function readTraddr(transport: NvmeTransport, value: unknown, field: string): string {
  if (transport === 'fc') return fcAddress(value, field)
  if (transport === 'loop') return word(value, field)
  const host = readBracketedHost(value)
  if (!host) throw invalid(field, 'an IP address or a host name', value)
  return formatHost(host)
}

/** nvme_fc_parse_traddr in drivers/nvme/host/fc.c; the spelling with 0x is that of the kernel's own attributes. */
function fcAddress(value: unknown, field: string): string {
  const match = typeof value === 'string' ? /^nn-(?:0x)?([\da-f]{16}):pn-(?:0x)?([\da-f]{16})$/i.exec(value) : null
  if (!match) throw invalid(field, 'nn-0x and pn-0x with 16 hexadecimal digits each, as in nn-0x…:pn-0x…', value)
  return `nn-0x${match[1] ?? ''}:pn-0x${match[2] ?? ''}`.toLowerCase()
}

/** A port as a number or text. @throws BrickError INVALID_ARGUMENT */
export function requiredPort(value: unknown, field: string): number {
  const port = typeof value === 'string' || typeof value === 'number' ? readPort(String(value)) : undefined
  if (port === undefined) throw invalid(field, 'a port from 1 to 65535', value)
  return port
}

/** IFNAMSIZ of the kernel less its terminator. */
function interfaceName(value: unknown, field: string): string {
  if (typeof value !== 'string' || !/^[^\s/,:\p{C}]{1,15}$/u.test(value))
    throw invalid(field, 'a network interface', value)
  return value
}

function word(value: unknown, field: string): string {
  if (typeof value !== 'string' || !/^[^\s,\p{C}]{1,255}$/u.test(value)) throw invalid(field, 'one word', value)
  return value
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '' || value === 'none'
}
