import { isBuiltIn, tcp } from './interface.ts'
import { loginFields } from './login-fields.ts'
import type { LoginField } from './login-fields.ts'
import type { NodeSettings } from './node-settings.ts'

/** How long and how ordered the request is that an open-iscsi release reads. */
export interface RequestLayout {
  readonly length: number
  readonly fields: ReadonlyMap<string, LoginField>
}

/**
 * The releases whose layout is known: taken from Debian's own builds for x86-64, by what their iscsiadm sends for a record
 * with a different value in each setting. It holds for every 64-bit little-endian machine: the types are int, char
 * and pointers. What a release has of its own is said as differences to the newest.
 */
export const requestLayouts: ReadonlyMap<string, RequestLayout> = new Map([
  // Debian 13.
  ['2.1.11', { length: 16_112, fields: loginFields() }],
  // Debian 12. The frequency of log lines was appended to the session later, which moved the connection.
  [
    '2.1.8',
    {
      length: 16_104,
      fields: loginFields({
        missing: ['node.session.conn_reopen_log_freq'],
        connectionMoved: -8,
        defaults: { 'node.session.xmit_thread_priority': '-20' },
      }),
    },
  ],
])

const loginCommand = 1

/** What iscsiadm knows and iscsid does not look at when it logs in. */
const ignored = new Set(['node.discovery_type'])

/** The only values that the requests made here can express; with others there is more to do than one login. */
const required: NodeSettings = new Map([['node.session.nr_sessions', '1']])

const needed = ['node.name', 'node.conn[0].address']

/**
 * The request to log in as this record says; undefined when the record has a setting or a value that the layout cannot
 * express exactly. All else is zero, as in iscsiadm's own requests: payload_len, the session's number, the pointers.
 */
export function loginRequest(record: NodeSettings, { length, fields }: RequestLayout): Buffer | undefined {
  if (!needed.every((name) => record.has(name))) return undefined
  const { 'iface.iscsi_ifacename': name = tcp.name, 'iface.transport_name': transport = tcp.transport } =
    Object.fromEntries(record)
  if (!isBuiltIn({ name, transport })) return undefined
  const request = Buffer.alloc(length)
  request.writeInt32LE(loginCommand, 0)
  const defaults = [...fields].flatMap(([name, field]) =>
    field.value === undefined ? [] : [[name, field.value] as const],
  )
  for (const [name, value] of new Map([...defaults, ...record])) {
    const expected = required.get(name)
    if (expected !== undefined && value !== expected) return undefined
    if (ignored.has(name)) continue
    if (!fields.get(name)?.write(request, value)) return undefined
  }
  return request
}
