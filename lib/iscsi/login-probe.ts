import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { BrickError } from '../errors.ts'
import { formatPortal, nodeRecordAddress } from './portal.ts'
import type { TargetPortal } from './initiator.ts'

/** RFC 7143 11.12 and 11.13: the basic header segment that every PDU begins with. */
const headerLength = 48
const loginRequest = 0x03
const loginResponse = 0x23
const immediate = 0x40

/**
 * Asks a portal whether it would take a login to this target: begins one, reads the answer, and leaves.
 *
 * Asked before iscsid is told to log in, since iscsid goes on trying for minutes what can never work, and cannot be
 * told to stop. The login stays in its first stage, so that the target makes no session of it.
 *
 * @throws BrickError PORTAL_UNREACHABLE, TARGET_NOT_FOUND, AUTH_FAILED, LOGIN_FAILED
 */
export async function probeLogin(target: TargetPortal, initiatorName: string, signal: AbortSignal): Promise<void> {
  const { portal } = target
  const socket = connect({ host: nodeRecordAddress(portal), port: portal.port, noDelay: true, signal })
  try {
    socket.write(firstLoginRequest(target.iqn, initiatorName))
    judge(await readHeader(socket), target)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof BrickError) throw error
    throw unreachable(target, error)
  } finally {
    socket.destroy()
  }
}

function firstLoginRequest(iqn: string, initiatorName: string): Buffer {
  const keys = [`InitiatorName=${initiatorName}`, `TargetName=${iqn}`, 'SessionType=Normal', 'AuthMethod=CHAP,None']
  const text = Buffer.from(keys.map((key) => `${key}\0`).join(''))
  const pdu = Buffer.alloc(headerLength + Math.ceil(text.length / 4) * 4)
  pdu[0] = loginRequest | immediate
  pdu.writeUIntBE(text.length, 5, 3)
  // An ISID of the random kind (80h), so that no session of this host is taken for ours.
  pdu[8] = 0x80
  randomBytes(5).copy(pdu, 9)
  text.copy(pdu, headerLength)
  return pdu
}

async function readHeader(socket: Socket): Promise<Buffer> {
  let received = Buffer.alloc(0)
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk as Buffer])
    if (received.length >= headerLength) return received
  }
  throw new Error('the connection was closed before an answer came')
}

/** Status classes of RFC 7143 11.13.5: 0 success, 1 redirection, 2 the initiator's fault, 3 the target's. */
function judge(header: Buffer, target: TargetPortal): void {
  const portal = formatPortal(target.portal)
  const [opcode = 0] = header
  if ((opcode & 0x3f) !== loginResponse) {
    throw new BrickError('LOGIN_FAILED', `${portal} does not speak iSCSI: it answered a login with opcode ${opcode}`, {
      details: { portal, opcode },
    })
  }
  const status = header.readUInt16BE(36)
  if (status < 0x0200) return
  const details = { portal, target: target.iqn, status: `0x${status.toString(16).padStart(4, '0')}` }
  switch (status) {
    case 0x0203:
      throw new BrickError('TARGET_NOT_FOUND', `${portal} has no target ${target.iqn}`, { details })
    // What LIO says of a target that it does not have, too.
    case 0x0301:
      throw new BrickError('TARGET_NOT_FOUND', `${portal} has no target ${target.iqn}, or not now`, {
        details,
        retryable: true,
      })
    case 0x0201:
    case 0x0202:
      throw new BrickError('AUTH_FAILED', `${portal} does not let this host in to ${target.iqn}`, { details })
    default:
      throw new BrickError('LOGIN_FAILED', `${portal} refuses a login to ${target.iqn}: ${details.status}`, { details })
  }
}

function unreachable({ portal }: TargetPortal, cause: unknown): BrickError {
  const text = formatPortal(portal)
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  return new BrickError('PORTAL_UNREACHABLE', `portal ${text}: ${reason}`, { details: { portal: text, reason }, cause })
}
