/** Where iscsid's login request has a setting of the node record, and how it is written there. */
export interface LoginField {
  readonly offset: number
  /** What open-iscsi takes when a record does not say; undefined: nothing, the bytes stay zero. */
  readonly value: string | undefined
  /** False when the field cannot hold this value exactly as open-iscsi would. */
  write(request: Buffer, value: string): boolean
}

/** How a release differs from the newest whose layout is known. */
export interface LayoutDifference {
  readonly missing?: readonly string[]
  /** Bytes by which all from the connection on has moved. */
  readonly connectionMoved?: number
  readonly defaults?: Readonly<Record<string, string>>
}

type Write = (request: Buffer, offset: number, value: string) => boolean
interface Description {
  readonly offset: number
  readonly write: Write
  readonly value?: string
}

const noYes = ['No', 'Yes']
const startup = ['manual', 'automatic', 'onboot']
const digest = ['None', 'CRC32C', 'CRC32C,None', 'None,CRC32C']
const chapAlgorithms = new Map([
  ['MD5', 5],
  ['SHA1', 6],
  ['SHA256', 7],
  ['SHA3-256', 8],
])
const chapAlgorithmLimit = 5
const secretSize = 256
/** Where the connection begins: 'node.conn[0].startup'. */
const connection = 2256

/** In the order of open-iscsi's structures: usr/mgmt_ipc.h, usr/config.h. Values: its own, without any iscsid.conf. */
const newest: ReadonlyMap<string, Description> = new Map([
  ['node.name', text(32, 255)],
  ['node.tpgt', integer(288, -1)],
  ['node.startup', choice(292, startup, 'manual')],
  ['node.leading_login', choice(296, noYes, 'No')],
  ['node.session.initial_cmdsn', integer(304, 0)],
  ['node.session.reopen_max', integer(308, 0)],
  ['node.session.xmit_thread_priority', integer(312, 0)],
  ['node.session.cmds_max', integer(316, 128)],
  ['node.session.queue_depth', integer(320, 32)],
  ['node.session.initial_login_retry_max', integer(324, 4)],
  ['node.session.nr_sessions', integer(328, 1)],
  ['node.session.scan', choice(332, ['manual', 'auto'], 'auto')],
  ['node.session.auth.authmethod', choice(336, ['None', 'CHAP'], 'None')],
  ['node.session.auth.username', text(340, 256)],
  ['node.session.auth.password', secret(596)],
  ['node.session.auth.username_in', text(856, 256)],
  ['node.session.auth.password_in', secret(1112)],
  ['node.session.auth.chap_algs', algorithms(1372, 'MD5')],
  ['node.session.timeo.replacement_timeout', integer(1392, 120)],
  ['node.session.err_timeo.abort_timeout', integer(1396, 15)],
  ['node.session.err_timeo.host_reset_timeout', integer(1400, 60)],
  ['node.session.err_timeo.lu_reset_timeout', integer(1404, 30)],
  ['node.session.err_timeo.tgt_reset_timeout', integer(1408, 30)],
  ['node.session.iscsi.InitialR2T', choice(1424, noYes, 'No')],
  ['node.session.iscsi.ImmediateData', choice(1428, noYes, 'Yes')],
  ['node.session.iscsi.FirstBurstLength', integer(1432, 262144)],
  ['node.session.iscsi.MaxBurstLength', integer(1436, 16776192)],
  ['node.session.iscsi.DefaultTime2Wait', integer(1440, 2)],
  ['node.session.iscsi.DefaultTime2Retain', integer(1444, 0)],
  ['node.session.iscsi.MaxConnections', integer(1448, 1)],
  ['node.session.iscsi.MaxOutstandingR2T', integer(1452, 1)],
  ['node.session.iscsi.ERL', integer(1456, 0)],
  ['node.session.iscsi.FastAbort', choice(1460, noYes, 'Yes')],
  ['node.session.conn_reopen_log_freq', integer(2248, 1)],
  ['node.conn[0].startup', choice(2256, startup, 'manual')],
  ['node.conn[0].address', text(2260, 1025)],
  ['node.conn[0].port', integer(3288, 3260)],
  ['node.conn[0].tcp.window_size', integer(3292, 524288)],
  ['node.conn[0].tcp.type_of_service', integer(3296, 0)],
  ['node.conn[0].timeo.login_timeout', integer(3300, 30)],
  ['node.conn[0].timeo.logout_timeout', integer(3304, 15)],
  ['node.conn[0].timeo.auth_timeout', integer(3308, 45)],
  ['node.conn[0].timeo.noop_out_interval', integer(3316, 5)],
  ['node.conn[0].timeo.noop_out_timeout', integer(3320, 5)],
  ['node.conn[0].iscsi.MaxRecvDataSegmentLength', integer(3324, 262144)],
  ['node.conn[0].iscsi.MaxXmitDataSegmentLength', integer(3328, 0)],
  ['node.conn[0].iscsi.HeaderDigest', choice(3332, digest, 'None')],
  ['node.conn[0].iscsi.DataDigest', choice(3336, digest, 'None')],
  ['node.conn[0].iscsi.IFMarker', choice(3340, noYes, 'No')],
  ['node.conn[0].iscsi.OFMarker', choice(3344, noYes, 'No')],
  ['iface.iscsi_ifacename', text(3368, 65, 'default')],
  ['iface.transport_name', text(14542, 16, 'tcp')],
])

/** The fields of a release's request. */
export function loginFields(difference: LayoutDifference = {}): ReadonlyMap<string, LoginField> {
  const { missing = [], connectionMoved = 0, defaults = {} } = difference
  const fields = new Map<string, LoginField>()
  for (const [name, { offset, write, value }] of newest) {
    if (missing.includes(name)) continue
    const moved = offset < connection ? offset : offset + connectionMoved
    fields.set(name, {
      offset: moved,
      value: defaults[name] ?? value,
      write: (request, text) => write(request, moved, text),
    })
  }
  return fields
}

function integer(offset: number, value: number): Description {
  return {
    offset,
    value: String(value),
    write(request, at, text) {
      const number = Number(text)
      if (!/^-?\d{1,10}$/.test(text) || number !== (number | 0)) return false
      request.writeInt32LE(number, at)
      return true
    },
  }
}

/** One of several words, each of which stands for its place in the list. */
function choice(offset: number, words: readonly string[], value: string): Description {
  return {
    offset,
    value,
    write(request, at, text) {
      if (!words.includes(text)) return false
      request.writeInt32LE(words.indexOf(text), at)
      return true
    },
  }
}

/** Text of at most `size` bytes, the final zero included. */
function text(offset: number, size: number, value?: string): Description {
  return {
    offset,
    ...(value !== undefined && { value }),
    write: (request, at, content) => writeText(request, at, size, content) > 0,
  }
}

/** Text that is followed by its length. */
function secret(offset: number): Description {
  return {
    offset,
    write(request, at, content) {
      const length = writeText(request, at, secretSize, content)
      request.writeUInt32LE(length, at + secretSize)
      return length > 0
    },
  }
}

/** Numbers in the order of preference; what is left of the list is -1. */
function algorithms(offset: number, value: string): Description {
  return {
    offset,
    value,
    write(request, at, content) {
      const numbers = content.split(',').map((name) => chapAlgorithms.get(name))
      if (numbers.length > chapAlgorithmLimit || numbers.includes(undefined)) return false
      for (let place = 0; place < chapAlgorithmLimit; place++) {
        request.writeInt32LE(numbers[place] ?? -1, at + 4 * place)
      }
      return true
    },
  }
}

/** The number of bytes written; none when they do not fit, or when there are none. */
function writeText(request: Buffer, offset: number, size: number, content: string): number {
  return Buffer.byteLength(content) < size ? request.write(content, offset) : 0
}
