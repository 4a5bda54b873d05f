import { BrickError } from '../errors.ts'
import { readFile } from '../files.ts'
import type { ChapCredentials } from '../properties/iscsi.ts'
import { tcp } from './interface.ts'
import { nodeRecordAddress } from './portal.ts'
import type { TargetPortal } from './portal.ts'

/** Settings of a node record: 'node.session.scan' and the like. */
export type NodeSettings = ReadonlyMap<string, string>

const configuration = '/etc/iscsi/iscsid.conf'

/** Seconds: open-iscsi's own default, and what a session that is to recover from trouble needs at least. */
const longestLogin = 15
const shortestLogin = 5

/** The names of what a record of ours says beyond the host's defaults, but for secrets. */
const scan = 'node.session.scan'
const loginTries = 'node.session.initial_login_retry_max'
const loginTimeout = 'node.conn[0].timeo.login_timeout'
export const sessionSettingNames: readonly string[] = [scan, loginTries, loginTimeout]

/** What a record of ours says beyond the host's defaults. `patience`: milliseconds that the caller has for the login. */
export function sessionSettings(credentials: ChapCredentials | undefined, patience: number): NodeSettings {
  const seconds = Math.min(longestLogin, Math.max(shortestLogin, Math.ceil(patience / 1000)))
  const settings = new Map([
    // The session is to bring the volume, not all that is mapped to this host.
    [scan, 'manual'],
    // The portal was found to answer; if the login then fails the caller is to hear of it, not to wait for more tries.
    [loginTries, '1'],
    // iscsid cannot be told to give up a login, only beforehand for how long to try.
    [loginTimeout, String(seconds)],
  ])
  if (credentials) {
    settings.set('node.session.auth.authmethod', credentials.method)
    settings.set('node.session.auth.username', credentials.username)
    settings.set('node.session.auth.password', credentials.password.reveal())
    if (credentials.usernameIn !== undefined && credentials.passwordIn !== undefined) {
      settings.set('node.session.auth.username_in', credentials.usernameIn)
      settings.set('node.session.auth.password_in', credentials.passwordIn.reveal())
    }
  }
  return settings
}

/** The record of a portal: the host's own defaults, and on top of them `settings`. Keys that are left out have open-iscsi's. */
export async function nodeRecord(target: TargetPortal, settings: NodeSettings, signal: AbortSignal): Promise<string> {
  const { over = tcp } = target
  const values = new Map([
    ['node.name', target.iqn],
    ['node.tpgt', '-1'],
    ['iface.iscsi_ifacename', over.name],
    ['iface.transport_name', over.transport],
    ['node.discovery_type', 'static'],
    ...(await hostDefaults(signal)),
    // Never automatic: the volume must not come back by itself when the host is started.
    ['node.startup', 'manual'],
    ['node.conn[0].address', nodeRecordAddress(target.portal)],
    ['node.conn[0].port', String(target.portal.port)],
    ...settings,
  ])
  const lines = [...values].map(([name, value]) => line(name, value))
  return ['# BEGIN RECORD hostbrick', ...lines, '# END RECORD', ''].join('\n')
}

/** A value that ended its line would bring settings of its own. @throws BrickError INVALID_ARGUMENT without the value */
function line(name: string, value: string): string {
  if (!/\p{Cc}/u.test(value)) return `${name} = ${value}`
  throw new BrickError('INVALID_ARGUMENT', `${name}: has a control character`, { details: { field: name } })
}

/** The `node.…` settings of iscsid.conf, which iscsiadm copies into every record that it makes. */
async function hostDefaults(signal: AbortSignal): Promise<NodeSettings> {
  const text = await readFile('iscsi-database', configuration, signal)
  return parseNodeSettings(text?.toString() ?? '')
}

/** Reads 'name = value' lines, of iscsid.conf or of a record, and keeps what concerns nodes. */
export function parseNodeSettings(text: string): NodeSettings {
  return new Map([...parseSettings(text)].filter(([name]) => name.startsWith('node.')))
}

/** As above, and keeps all. */
export function parseSettings(text: string): NodeSettings {
  const settings = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, name, value] = /^\s*([a-z]+\.[^\s=]+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (name !== undefined && value !== undefined) settings.set(name, value)
  }
  return settings
}
