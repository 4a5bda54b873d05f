import type { Ending } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { iscsiError } from '../iscsi/errors.ts'
import type { NodeRecords, SessionControl } from '../iscsi/open-iscsi.ts'
import { parseNodeSettings, parseSettings, sessionSettingNames } from '../iscsi/node-settings.ts'
import type { NodeSettings } from '../iscsi/node-settings.ts'
import { tcp } from '../iscsi/interface.ts'
import { formatPortal } from '../iscsi/portal.ts'
import type { TargetPortal } from '../iscsi/portal.ts'
import type { Session } from '../iscsi/sessions.ts'
import { run } from './run.ts'

/** Exit codes: open-iscsi, include/iscsi_err.h. */
const success = 0
const sessionNotFound = 2
const recordNotFound = 6
const sessionExists = 15
const nothingFound = 21

/** open-iscsi's command. */
export const iscsiadm: NodeRecords & SessionControl = {
  async keep(target, signal) {
    const before = await show(target, signal)
    return async (late) => {
      if (before === undefined) await this.remove(target, late)
      else await update(target, before, late)
    }
  },

  draft(target, settings) {
    const write = async (signal: AbortSignal): Promise<void> => {
      refuseSecrets(settings)
      // A record that is there already is updated: made anew, it would lose the secrets that it may have.
      if ((await show(target, signal)) === undefined) {
        await expect([success], [...node(target), '--op', 'new'], signal)
      }
      await update(target, settings, signal)
    }
    return Promise.resolve({ settings: null, write })
  },

  async remove(target, signal) {
    await ifInstalled(expect([success, nothingFound], [...node(target), '--op', 'delete'], signal))
  },

  async login(target, _record, signal) {
    await expect([success, sessionExists], [...node(target), '--login'], signal)
  },

  async logout({ id }: Session, signal) {
    const parameters = ['--mode', 'session', '--sid', String(id), '--logout']
    await expect([success, sessionNotFound, nothingFound], parameters, signal)
  },
}

/** Lists its interfaces, for the sake of what it does before. */
export async function listInterfaces(signal: AbortSignal): Promise<void> {
  await ifInstalled(expect([success, nothingFound], ['--mode', 'iface'], signal))
}

/** What the record of an interface says; undefined when there is none. */
export async function showInterface(name: string, signal: AbortSignal): Promise<NodeSettings | undefined> {
  const parameters = ['--mode', 'iface', '--interface', name]
  const { code, output } = await expect([success, recordNotFound, nothingFound], parameters, signal)
  return code === success ? parseSettings(output) : undefined
}

/** Where there is no open-iscsi there is no record either. */
async function ifInstalled(call: Promise<unknown>): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!(error instanceof BrickError && error.code === 'NOT_SUPPORTED')) throw error
  }
}

function node({ portal, iqn, over = tcp }: TargetPortal): string[] {
  return ['--mode', 'node', '--targetname', iqn, '--portal', formatPortal(portal), '--interface', over.name]
}

/** What the record says of the settings that we change; undefined when there is no record. */
async function show(target: TargetPortal, signal: AbortSignal): Promise<NodeSettings | undefined> {
  const { code, output } = await expect([success, nothingFound], [...node(target), '--op', 'show'], signal)
  if (code === nothingFound) return undefined
  return new Map([...parseNodeSettings(output)].filter(([name]) => sessionSettingNames.includes(name)))
}

async function update(target: TargetPortal, settings: NodeSettings, signal: AbortSignal): Promise<void> {
  const values = [...settings].flatMap(([name, value]) => ['--name', name, '--value', value])
  if (values.length > 0) await expect([success], [...node(target), '--op', 'update', ...values], signal)
}

/**
 * Its only way to take a password is its command line, which every user of the host can read. So CHAP needs records of
 * our own making: a database whose place is clear, and an interface that has nothing but a transport.
 */
function refuseSecrets(settings: NodeSettings): void {
  if (!settings.has('node.session.auth.password')) return
  throw new BrickError('NOT_SUPPORTED', 'CHAP needs a node record that iscsiadm would have to write, secrets and all')
}

async function expect(
  accepted: readonly number[],
  parameters: readonly string[],
  signal: AbortSignal,
): Promise<Ending> {
  const ending = await run('iscsiadm', parameters, signal)
  if (accepted.includes(ending.code)) return ending
  throw iscsiError(ending.code, `iscsiadm: ${ending.error.trim()}`, { program: 'iscsiadm', parameters })
}
