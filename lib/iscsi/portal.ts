import { invalid } from '../errors.ts'
import { formatHost, readHost, readIPv6, readPort } from '../network/portal.ts'
import type { Host, Portal } from '../network/portal.ts'
import type { Interface } from './interface.ts'

export { formatPortal, samePortal } from '../network/portal.ts'
export type { Portal } from '../network/portal.ts'

/** One portal of one target. */
export interface TargetPortal {
  readonly portal: Portal
  readonly iqn: string
  /** What sessions to it run over; plain TCP where it is left out. */
  readonly over?: Interface
}

/** The port that IANA assigned to iSCSI, and what a portal without one means. */
export const defaultPort = 3260

/**
 * Reads `host`, `host:port` or `[ipv6%zone]:port`, each with or without iscsiadm's `,tpgt` at its end.
 *
 * Some drivers leave the brackets of an IPv6 address away. There `fe80::1:3260` could be an address or an address and a
 * port: it is taken for a port if it is 3260, which those drivers append always, and for an address otherwise.
 *
 * @throws BrickError INVALID_ARGUMENT for anything else
 */
export function parsePortal(text: unknown, field = 'target_portal'): Portal {
  const portal = typeof text === 'string' ? read(text.replace(/,(?:-1|\d{1,10})$/, '')) : undefined
  return portal ?? refuse(field, text)
}

/** The portal at an address as sockets and sysfs write it, an IPv6 address without brackets. */
export function portalAt(address: string, port: number | string): Portal {
  return withPort(readHost(address), String(port)) ?? refuse('address', `${address} ${port}`)
}

function refuse(field: string, given: unknown): never {
  throw invalid(field, 'an address and a port as in 10.0.0.1:3260 or [fe80::1]:3260', given)
}

/** The address as node records, sysfs's `persistent_address` and by-path names spell it: without brackets. */
export const nodeRecordAddress: (portal: Portal) => string = formatHost

function read(text: string): Portal | undefined {
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(text)
  if (bracketed) return withPort(readIPv6(bracketed[1] ?? ''), bracketed[2])

  const colons = text.split(':').length - 1
  if (colons > 1) {
    const [, address = '', port] = /^(.*):(\d+)$/.exec(text) ?? []
    const divided = withPort(readIPv6(address), port)
    return divided?.port === defaultPort ? divided : (withPort(readIPv6(text)) ?? divided)
  }

  const [host = '', port] = text.split(':')
  return withPort(readHost(host), port)
}

function withPort(host: Host | undefined, text = String(defaultPort)): Portal | undefined {
  const port = readPort(text)
  return host && port !== undefined ? { ...host, port } : undefined
}
