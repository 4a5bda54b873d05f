import { BrickError } from '../errors.ts'
import { malformed, opcodes } from './pdu.ts'
import type { Response } from './pdu.ts'
import { formatPortal } from './portal.ts'
import type { Portal } from './portal.ts'

/**
 * Status-Class and Status-Detail of a login response, as 0xCCDD. Classes (RFC 7143 11.13.5): 0 success, 1 redirection,
 * 2 the initiator's fault, 3 the target's. Returns those of the first two.
 *
 * @throws BrickError TARGET_NOT_FOUND, AUTH_FAILED, LOGIN_FAILED
 */
export function loginStatus(response: Pick<Response, 'opcode' | 'header'>, portal: Portal, target?: string): number {
  const from = formatPortal(portal)
  const { opcode } = response
  if (opcode !== opcodes.loginResponse) throw malformed(`${from} answers a login with opcode ${opcode}`, { opcode })
  const status = response.header.readUInt16BE(36)
  if (status < 0x0200) return status
  throw refusal(status, from, target)
}

function refusal(status: number, portal: string, target: string | undefined): BrickError {
  const shown = `0x${status.toString(16).padStart(4, '0')}`
  const details = { portal, ...(target !== undefined && { target }), status: shown }
  if (status === 0x0201 || status === 0x0202) {
    return new BrickError('AUTH_FAILED', `${portal} does not let this host in${to(target)}`, { details })
  }
  // 0301 is what LIO says of a target that it does not have, too.
  if (target !== undefined && status === 0x0203) {
    return new BrickError('TARGET_NOT_FOUND', `${portal} has no target ${target}`, { details })
  }
  if (target !== undefined && status === 0x0301) {
    return new BrickError('TARGET_NOT_FOUND', `${portal} has no target ${target}, or not now`, {
      details,
      retryable: true,
    })
  }
  return new BrickError('LOGIN_FAILED', `${portal} refuses a login${to(target)}: ${shown}`, { details })
}

function to(target: string | undefined): string {
  return target === undefined ? '' : ` to ${target}`
}
