import { BrickError } from '../errors.ts'
import { iscsiError } from '../iscsi/errors.ts'
import type { NodeRecords, NodeSettings, SessionControl, TargetPortal } from '../iscsi/initiator.ts'
import { formatPortal } from '../iscsi/portal.ts'
import type { Session } from '../iscsi/sessions.ts'
import { run } from './run.ts'

/** Exit codes: open-iscsi, include/iscsi_err.h. */
const success = 0
const sessionNotFound = 2
const sessionExists = 15
const nothingFound = 21

/** open-iscsi's command. */
export const iscsiadm: NodeRecords & SessionControl = {
  async read() {
    // It prints records for people, without their secrets: nothing that could be put back.
    return Promise.resolve(undefined)
  },

  async create(target, settings, signal) {
    refuseSecrets(settings)
    await expect([success], [...node(target), '--interface', 'default', '--op', 'new'], signal)
    const values = [...settings].flatMap(([name, value]) => ['--name', name, '--value', value])
    await expect([success], [...node(target), '--op', 'update', ...values], signal)
  },

  async restore() {
    return Promise.reject(new Error('iscsiadm never gave a record to restore'))
  },

  async remove(target, signal) {
    try {
      await expect([success, nothingFound], [...node(target), '--op', 'delete'], signal)
    } catch (error) {
      // Where there is no open-iscsi there is no record either.
      if (!(error instanceof BrickError && error.code === 'NOT_SUPPORTED')) throw error
    }
  },

  async login(target, signal) {
    await expect([success, sessionExists], [...node(target), '--login'], signal)
  },

  async logout({ id }: Session, signal) {
    const parameters = ['--mode', 'session', '--sid', String(id), '--logout']
    await expect([success, sessionNotFound, nothingFound], parameters, signal)
  },
}

function node({ portal, iqn }: TargetPortal): string[] {
  return ['--mode', 'node', '--targetname', iqn, '--portal', formatPortal(portal)]
}

/** Its only way to take a password is its command line, which every user of the host can read. */
function refuseSecrets(settings: NodeSettings): void {
  if (!settings.has('node.session.auth.password')) return
  throw new BrickError('NOT_SUPPORTED', "CHAP needs open-iscsi's node database, which was not found on this host")
}

async function expect(accepted: readonly number[], parameters: readonly string[], signal: AbortSignal): Promise<void> {
  const { code, error } = await run('iscsiadm', parameters, signal)
  if (accepted.includes(code)) return
  throw iscsiError(code, `iscsiadm: ${error.trim()}`, { program: 'iscsiadm', parameters })
}
