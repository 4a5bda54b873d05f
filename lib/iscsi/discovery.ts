import { BrickError } from '../errors.ts'
import { initiatorName } from '../host/initiator-name.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { readCredentials } from '../properties/credentials.ts'
import { iscsiName } from '../properties/iscsi.ts'
import type { Connection } from './connection.ts'
import { firstCommand, logIn, readAddress } from './login.ts'
import type { LoginIdentity } from './login.ts'
import { continued, final, malformed, noTag, opcodes } from './pdu.ts'
import type { Response } from './pdu.ts'
import { formatPortal, parsePortal } from './portal.ts'
import type { Portal } from './portal.ts'
import { decodeText, encodeText, TextParts } from './text.ts'

/** CHAP for discovery: what this host proves and, with the second pair, what the portal has to prove in return. */
export interface DiscoveryCredentials {
  username: string
  password: string
  usernameIn?: string | undefined
  passwordIn?: string | undefined
}

export interface DiscoveryOptions extends CallOptions {
  credentials?: DiscoveryCredentials | undefined
  /** The iSCSI name to ask under. By default the host's own, which on many hosts only root may read. */
  initiatorName?: string | undefined
}

/** A target that a portal knows, as plain JSON. */
export interface DiscoveredTarget {
  iqn: string
  /** At least one, in the portal's order, without duplicates. */
  portals: DiscoveredPortal[]
}

export interface DiscoveredPortal {
  /** `address:port`, an IPv6 address in brackets. */
  portal: string
  /** The portal group tag; null when the portal does not say. */
  group: number | null
}

const taskTag = 1

/**
 * Asks a portal which targets it has for this host: SendTargets (RFC 7143 appendix C), in a session of our own that
 * needs neither root nor iscsid and leaves nothing on the host. A list of which anything cannot be read is an error.
 *
 * @throws BrickError INVALID_ARGUMENT, PORTAL_UNREACHABLE, AUTH_FAILED, LOGIN_FAILED, NOT_SUPPORTED
 */
export async function discoverIscsiTargets(
  portal: string,
  options: DiscoveryOptions = {},
): Promise<DiscoveredTarget[]> {
  const asked = parsePortal(portal, 'portal')
  const credentials = readCredentials(options.credentials)
  const given = options.initiatorName === undefined ? undefined : iscsiName(options.initiatorName, 'initiatorName')
  using operation = new Operation('iscsi.discoverTargets', options)
  const name = given ?? (await operation.step('name', initiatorName))
  return await askTargets(asked, { initiatorName: name, credentials }, operation)
}

/** The same for a call that has more to do. */
export async function askTargets(
  asked: Portal,
  identity: LoginIdentity,
  operation: Operation,
  patience = operation.signal,
): Promise<DiscoveredTarget[]> {
  using connection = await operation.step('login', () => logIn(asked, identity, patience))
  // Nobody says goodbye: with the connection a session for discovery ends.
  return await operation.step('targets', async () => parseTargets(await sendTargets(connection), connection.portal))
}

/** RFC 7143 11.10 and 11.11: one question, whose answer may take many turns. */
async function sendTargets(connection: Connection): Promise<Buffer> {
  const answer = new TextParts()
  let data = encodeText([['SendTargets', 'All']])
  let transferTag = noTag
  for (let command = firstCommand; ; command++) {
    connection.send({
      opcode: opcodes.textRequest,
      immediate: false,
      flags: final,
      taskTag,
      transferTag,
      command,
      data,
    })
    const response = await receiveText(connection, command + 1)
    answer.add(response.data)
    if ((response.flags & (final | continued)) === final) return answer.whole
    if (response.transferTag === noTag) throw malformed('a text that goes on nowhere')
    data = Buffer.alloc(0)
    transferTag = response.transferTag
  }
}

/** The answer to our question. What else a target may say in between is dealt with. */
async function receiveText(connection: Connection, nextCommand: number): Promise<Response> {
  for (;;) {
    const response = await connection.receive()
    switch (response.opcode) {
      case opcodes.textResponse:
        if (response.taskTag !== taskTag) throw malformed('an answer to another question')
        return response
      case opcodes.nopIn:
        pong(connection, response, nextCommand)
        break
      case opcodes.asyncMessage:
        heed(connection, response)
        break
      case opcodes.reject:
        throw malformed(`SendTargets is rejected, reason ${response.header.readUInt8(2)}`)
      default:
        throw malformed(`an answer to SendTargets with opcode ${response.opcode}`)
    }
  }
}

/** RFC 7143 11.18 and 11.19: a ping with a tag wants an answer with that tag, to the same LUN. */
function pong(connection: Connection, { header, transferTag }: Response, command: number): void {
  if (transferTag === noTag) return
  connection.send({
    opcode: opcodes.nopOut,
    immediate: true,
    flags: final,
    place: header.subarray(8, 16),
    taskTag: noTag,
    transferTag,
    command,
  })
}

/** RFC 7143 11.9.1: 1 asks for a logout, 2 and 3 announce the end of this connection or of all. */
function heed({ portal }: Connection, { header }: Response): void {
  const event = header.readUInt8(36)
  if (event < 1 || event > 3) return
  const text = formatPortal(portal)
  throw new BrickError('PORTAL_UNREACHABLE', `portal ${text} ends the session`, { details: { portal: text, event } })
}

/**
 * The answer to SendTargets: each TargetName with the addresses that follow it. One without is at the portal that was
 * asked; one that is named again has the addresses of all its places.
 *
 * @throws BrickError LOGIN_FAILED naming what cannot be read
 */
export function parseTargets(text: Buffer, asked: Portal): DiscoveredTarget[] {
  const targets = new Map<string, { iqn: string; portals: Map<string, DiscoveredPortal> }>()
  let portals: Map<string, DiscoveredPortal> | undefined
  for (const [key, value] of decodeText(text)) {
    if (key === 'TargetName') {
      const iqn = readName(value)
      const target = targets.get(iqn.toLowerCase()) ?? { iqn, portals: new Map() }
      targets.set(iqn.toLowerCase(), target)
      portals = target.portals
    } else if (key === 'TargetAddress') {
      if (portals === undefined) throw malformed('a TargetAddress without a TargetName', { address: value })
      const portal = readPortal(value)
      portals.set(JSON.stringify(portal), portal)
    } else if (key === 'SendTargets') {
      throw malformed(`SendTargets=${value}`)
    }
  }
  const here: DiscoveredPortal = { portal: formatPortal(asked), group: null }
  return [...targets.values()].map(({ iqn, portals }) => ({
    iqn,
    portals: portals.size === 0 ? [{ ...here }] : [...portals.values()],
  }))
}

function readName(name: string): string {
  try {
    return iscsiName(name, 'TargetName')
  } catch {
    throw malformed(`the TargetName ${JSON.stringify(name)}`, { target: name })
  }
}

function readPortal(address: string): DiscoveredPortal {
  const [, group] = /,(\d+)$/.exec(address) ?? []
  return { portal: formatPortal(readAddress(address)), group: group === undefined ? null : Number(group) }
}
