import { randomBytes } from 'node:crypto'
import { binding, finish } from '../binding.ts'
import { unreachable } from '../network/connect.ts'
import { formatHost } from '../network/portal.ts'
import type { TargetPortal } from './portal.ts'
import { loginStatus } from './login-status.ts'
import { encodeRequest, headerLength, opcodeOf, opcodes } from './pdu.ts'
import { encodeText } from './text.ts'

/**
 * Asks a portal whether it would take a login to this target: begins one, reads the answer, and leaves.
 *
 * Asked before iscsid is told to log in, since iscsid goes on trying for minutes what can never work, and cannot be
 * told to stop. The login stays in its first stage, so that the target makes no session of it.
 *
 * @throws BrickError PORTAL_UNREACHABLE, TARGET_NOT_FOUND, AUTH_FAILED, LOGIN_FAILED
 */
export async function probeLogin(
  { portal, iqn }: TargetPortal,
  initiatorName: string,
  signal: AbortSignal,
): Promise<void> {
  const request = encodeRequest(
    {
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
        ['TargetName', iqn],
        ['SessionType', 'Normal'],
        ['AuthMethod', 'CHAP,None'],
      ]),
    },
    0,
  )
  try {
    const listener = { address: formatHost(portal), port: portal.port }
    const header = await finish(binding().exchange([listener], request, headerLength), signal)
    loginStatus({ opcode: opcodeOf(header), header }, portal, iqn)
  } catch (error) {
    throw unreachable(portal, error, signal)
  }
}
