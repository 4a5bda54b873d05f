import { isIPv4, isIPv6 } from 'node:net'

import { invalid } from '../errors.ts'
import type { Interface } from './interface.ts'

/** Where an iSCSI target listens, in canonical form: equal portals have equal fields. */
export interface Portal {
  /** Dotted decimal, RFC 5952 without brackets and zone, or a lower-case host name without the final dot. */
  readonly host: string
  readonly port: number
  readonly family: 'ipv4' | 'ipv6' | 'name'
  /** The interface of a link-local IPv6 address. */
  readonly zone?: string
}

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
 * port: it is taken for a port if it is 3260, which those drivers append always, and for an address otherwise. An
 * IPv4-mapped IPv6 address is the IPv4 address: it reaches the same socket.
 *
 * @throws BrickError INVALID_ARGUMENT for anything else
 */
export function parsePortal(text: unknown, field = 'target_portal'): Portal {
  const portal = typeof text === 'string' ? read(text.replace(/,(?:-1|\d{1,10})$/, '')) : undefined
  if (!portal) throw invalid(field, 'an address and a port as in 10.0.0.1:3260 or [fe80::1]:3260', text)
  return portal
}

/** The portal at an address as sockets and sysfs write it, an IPv6 address without brackets. */
export function portalAt(address: string, port: number | string): Portal {
  return parsePortal(address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`)
}

/** Canonical text, as `parsePortal` reads it. */
export function formatPortal(portal: Portal): string {
  const address = nodeRecordAddress(portal)
  return `${portal.family === 'ipv6' ? `[${address}]` : address}:${portal.port}`
}

/** Whether both name the same address and port. A host name is only ever the same as itself: nothing is looked up. */
export function samePortal(a: Portal, b: Portal): boolean {
  return formatPortal(a) === formatPortal(b)
}

/** The address as node records, sysfs's `persistent_address` and by-path names spell it: without brackets. */
export function nodeRecordAddress({ host, zone }: Portal): string {
  return zone === undefined ? host : `${host}%${zone}`
}

function read(text: string): Portal | undefined {
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(text)
  if (bracketed) return ipv6(bracketed[1], bracketed[2])

  const colons = text.split(':').length - 1
  if (colons > 1) {
    const [, address, port] = /^(.*):(\d+)$/.exec(text) ?? []
    const divided = ipv6(address, port)
    return divided?.port === defaultPort ? divided : (ipv6(text) ?? divided)
  }

  const [host = '', port] = text.split(':')
  return isIPv4(host) ? withPort({ host, family: 'ipv4' }, port) : named(host, port)
}

function ipv6(text = '', port?: string): Portal | undefined {
  const [, address = '', zone] = /^([^%]*)(?:%([\w.-]+))?$/.exec(text) ?? []
  if (!isIPv6(address)) return undefined
  const host = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([\da-f]+):([\da-f]+)$/.exec(host)
  if (!mapped) return withPort(zone === undefined ? { host, family: 'ipv6' } : { host, family: 'ipv6', zone }, port)
  if (zone !== undefined) return undefined
  const words = mapped.slice(1).map((word) => parseInt(word, 16))
  return withPort({ host: words.flatMap((word) => [word >> 8, word & 0xff]).join('.'), family: 'ipv4' }, port)
}

/** RFC 1123; a last label of digits only is a broken IPv4 address. */
function named(text: string, port?: string): Portal | undefined {
  const host = text.toLowerCase().replace(/\.$/, '')
  const labels = host.split('.')
  const valid = host.length <= 253 && labels.every((label) => /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/.test(label))
  if (!valid || /^\d+$/.test(labels.at(-1) ?? '')) return undefined
  return withPort({ host, family: 'name' }, port)
}

function withPort(address: Omit<Portal, 'port'>, text = String(defaultPort)): Portal | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port > 0 && port < 0x10000 ? { ...address, port } : undefined
}
