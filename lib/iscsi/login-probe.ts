import { randomBytes } from 'node:crypto'
import { Connection } from './connection.ts'
import type { TargetPortal } from './portal.ts'
import { loginStatus } from './login-status.ts'
import { opcodes } from './pdu.ts'
import { encodeText } from './text.ts'

/**
 * Asks a portal whether it would take a login to this target: begins one, reads the answer, and leaves.
 *
 * Asked before iscsid is told to log in, since iscsid goes on trying for minutes what can never work, and cannot be
 * told to stop. The login stays in its first stage, so that the target makes no session of it.
 *
 * @throws BrickError PORTAL_UNREACHABLE, TARGET_NOT_FOUND, AUTH_FAILED, LOGIN_FAILED
 */
export async function probeLogin(target: TargetPortal, initiatorName: string, signal: AbortSignal): Promise<void> {
  using connection = await Connection.open(target.portal, signal)
  connection.send({
    opcode: opcodes.loginRequest,
    immediate: true,
    flags: 0,
    // An ISID of the random kind (80h), so that no session of this host is taken for ours.
    place: Buffer.concat([Buffer.of(0x80), randomBytes(5), Buffer.alloc(2)]),
    taskTag: 0,
    transferTag: 0,
    command: 0,
    data: encodeText([
      ['InitiatorName', initiatorName],
      ['TargetName', target.iqn],
      ['SessionType', 'Normal'],
      ['AuthMethod', 'CHAP,None'],
    ]),
  })
  loginStatus(await connection.receive(), target.portal, target.iqn)
}
