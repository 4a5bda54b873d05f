import { isIPv4, isIPv6 } from 'node:net'

/** Where a target listens, in canonical form: equal portals have equal fields. */
export interface Portal extends Host {
  readonly port: number
}

/** A host as it is written in a portal. */
export interface Host {
  /** Dotted decimal, RFC 5952 without brackets and zone, or a lower-case host name without the final dot. */
  readonly host: string
  readonly family: 'ipv4' | 'ipv6' | 'name'
  /** The interface of a link-local IPv6 address. */
  readonly zone?: string
}

/** Canonical text: `address:port`, an IPv6 address in brackets. */
export function formatPortal(portal: Portal): string {
  const address = formatHost(portal)
  return `${portal.family === 'ipv6' ? `[${address}]` : address}:${portal.port}`
}

/** Whether both name the same address and port. A host name is only ever the same as itself: nothing is looked up. */
export function samePortal(a: Portal, b: Portal): boolean {
  return formatPortal(a) === formatPortal(b)
}

/** Canonical text of the host alone, without brackets. */
export function formatHost({ host, zone }: Host): string {
  return zone === undefined ? host : `${host}%${zone}`
}

/**
 * An address without brackets, or a host name. An IPv4-mapped IPv6 address is the IPv4 address: it reaches the same
 * socket.
 */
export function readHost(text: string): Host | undefined {
  if (text.includes(':')) return readIPv6(text)
  return isIPv4(text) ? { host: text, family: 'ipv4' } : readName(text)
}

/** The same from what may be no text, or have brackets as in a URL. */
export function readBracketedHost(value: unknown): Host | undefined {
  return typeof value === 'string' ? readHost(value.replace(/^\[(.*)\]$/, '$1')) : undefined
}

/** `address%zone`; undefined for anything else. */
export function readIPv6(text: string): Host | undefined {
  const [, address = '', zone] = /^([^%]*)(?:%([\w.-]+))?$/.exec(text) ?? []
  if (!isIPv6(address)) return undefined
  const host = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([\da-f]+):([\da-f]+)$/.exec(host)
  if (!mapped) return zone === undefined ? { host, family: 'ipv6' } : { host, family: 'ipv6', zone }
  if (zone !== undefined) return undefined
  const words = mapped.slice(1).map((word) => parseInt(word, 16))
  return { host: words.flatMap((word) => [word >> 8, word & 0xff]).join('.'), family: 'ipv4' }
}

/** RFC 1123; a last label of digits only is a broken IPv4 address. */
function readName(text: string): Host | undefined {
  const host = text.toLowerCase().replace(/\.$/, '')
  const labels = host.split('.')
  const valid = host.length <= 253 && labels.every((label) => /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/.test(label))
  return valid && !/^\d+$/.test(labels.at(-1) ?? '') ? { host, family: 'name' } : undefined
}

/** A port as text; undefined for what is none. */
export function readPort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port > 0 && port < 0x10000 ? port : undefined
}
