import { Socket } from 'node:net'
import { binding, failedWith, finish } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { iscsiError } from './errors.ts'
import type { Session } from './sessions.ts'

/** iscsid's management socket: open-iscsi, usr/mgmt_ipc.h and usr/mgmt_ipc.c. */
const socketName = 'ISCSIADM_ABSTRACT_NAMESPACE'

const logoutCommand = 2
/** Of iscsi_err.h. */
const success = 0
const sessionNotFound = 2

/**
 * What iscsid reads of one request is as long as its own structure, which has grown with its releases (12,856 to 16,128
 * bytes so far); it drops what comes after. A request that was too short would block its only thread. One of more than
 * 32 KiB would reach it in two pieces (UNIX_SKB_FRAGS_SZ in net/unix/af_unix.c), and it may have answered the first, and
 * hung up, before the second is written.
 */
const requestLength = 32_768
/** command i32, error i32, and an answer that is not for us. */
const responseHeader = 8

/**
 * Asks iscsid to end a session and returns when it has. One that it does not know is fine.
 * False when no iscsid is running.
 *
 * @throws BrickError
 */
export async function logout({ id }: Session, signal: AbortSignal): Promise<boolean> {
  const request = Buffer.alloc(requestLength)
  request.writeInt32LE(logoutCommand, 0)
  // payload_len at 4 is 0; the session's number begins the union that follows, in every release.
  request.writeInt32LE(id, 8)
  const error = await ask(request, signal)
  if (error === undefined) return false
  if (error !== success && error !== sessionNotFound) throw iscsiError(error, `iscsid: logout of session ${id}`)
  return true
}

/** Sends one request and returns the error number of iscsid's response; undefined when nobody listens. */
async function ask(request: Buffer, signal: AbortSignal): Promise<number | undefined> {
  const descriptor = await connect(signal)
  if (descriptor === undefined) return undefined
  const socket = new Socket({ fd: descriptor, signal })
  try {
    // Not end(): iscsid takes a closed connection for a client that has lost interest.
    socket.write(request)
    let received = Buffer.alloc(0)
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer])
      if (received.length >= responseHeader) return received.readInt32LE(4)
    }
    throw iscsiError(undefined, 'iscsid closed the connection without an answer')
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof BrickError) throw error
    throw new BrickError('TOOL_FAILED', `iscsid's socket: ${String(error)}`, { cause: error })
  } finally {
    socket.destroy()
  }
}

async function connect(signal: AbortSignal): Promise<number | undefined> {
  try {
    return await finish(binding().connectAbstract(socketName), signal)
  } catch (error) {
    if (failedWith(error, 'ECONNREFUSED')) return undefined
    throw error
  }
}
