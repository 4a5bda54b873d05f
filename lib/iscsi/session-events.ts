import { binding } from '../binding.ts'
import type { SessionEvent } from '../binding.ts'
import { Monitor } from '../monitor.ts'
import type { Listener } from '../monitor.ts'

const monitor = new Monitor<SessionEvent>((receive) => ({ close: binding().openSessionMonitor(receive) }))

/**
 * Listens to what the kernel says of iSCSI sessions, until disposed. It is iscsid's channel: it tells when a session is
 * made, removed and when its connection fails, and says nothing of a login that has succeeded.
 *
 * @throws SystemError EPROTONOSUPPORT when the kernel has no iSCSI loaded, EPERM without CAP_NET_ADMIN
 */
export function listenToSessions(listener: Listener<SessionEvent>): Disposable {
  return monitor.listen(listener)
}

/** enum iscsi_err of the kernel, from 1001 on (include/scsi/iscsi_if.h). */
const errorNames = [
  'DATASN',
  'DATA_OFFSET',
  'MAX_CMDSN',
  'EXP_CMDSN',
  'BAD_OPCODE',
  'DATALEN',
  'AHSLEN',
  'PROTO',
  'LUN',
  'BAD_ITT',
  'CONN_FAILED',
  'R2TSN',
  'SESSION_FAILED',
  'HDR_DGST',
  'DATA_DGST',
  'PARAM_NOT_FOUND',
  'NO_SCSI_CMD',
  'INVALID_HOST',
  'XMIT_FAILED',
  'TCP_CONN_CLOSE',
  'SCSI_EH_SESSION_RST',
  'NOP_TIMEDOUT',
] as const

/** The kernel's name of a connection's error, without its ISCSI_ERR_. */
export function connectionErrorName(error: number): string {
  return errorNames[error - 1001] ?? String(error)
}
