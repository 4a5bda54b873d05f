/** Logins through iscsid's management socket: that they are made, and that they are what iscsiadm's are. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, renameSync } from 'node:fs'
import { after, afterEach, before, describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { ISCSIConnector } from 'hostbrick'
import { Iscsid } from '../../../dist/iscsi/iscsid.js'
import { loginRequest, requestLayouts } from '../../../dist/iscsi/login-request.js'
import { NodeDatabase } from '../../../dist/iscsi/node-database.js'
import type { RecordDraft } from '../../../dist/iscsi/open-iscsi.js'
import { sessionSettings } from '../../../dist/iscsi/node-settings.js'
import { parsePortal } from '../../../dist/iscsi/portal.js'
import { readSessions } from '../../../dist/iscsi/sessions.js'
import { run } from '../command.ts'
import { startIscsid, type Daemon } from '../daemons.ts'
import { iscsiTarget, type Chap } from '../targets.ts'

const IQN = 'iqn.2026-11.lab:iscsid'
const PORTAL = '127.0.0.1:3260'
const IQN_AND_PORTAL = ['--mode', 'node', '--targetname', IQN, '--portal', PORTAL]
const volume = { target_portal: PORTAL, target_iqn: IQN, target_lun: 0 }
const connector = new ISCSIConnector()
const timely = (): AbortSignal => AbortSignal.timeout(30_000)
const version = /version (\S+)/.exec(run('iscsid', '--version'))?.[1] ?? ''

let iscsid: Daemon

before(async () => {
  iscsid = await startIscsid()
  // iscsiadm makes the database when it is first used.
  const target = makeTarget()
  await connector.disconnectVolume(volume, await connector.connectVolume(volume))
  target.remove()
})
after(() => iscsid.stop())
afterEach(() => {
  assert.equal(run('ls', '/sys/class/iscsi_session').trim(), '')
})

describe(`iscsid ${version}`, () => {
  it('logs in without iscsiadm', async (test) => {
    serve(test)
    const path = run('which', 'iscsiadm').trim()
    renameSync(path, `${path}.hidden`)
    try {
      for (let round = 0; round < 3; round++) {
        await connector.disconnectVolume(volume, await connector.connectVolume(volume))
      }
      // Another iscsid, of which it must be found out anew what it reads.
      await iscsid.stop()
      iscsid = await startIscsid()
      await connector.disconnectVolume(volume, await connector.connectVolume(volume))
    } finally {
      renameSync(`${path}.hidden`, path)
    }
  })

  it('is asked what iscsiadm asks, byte by byte, and makes the same session', async (test) => {
    serve(test, { username: 'host', password: 'one-of-the-secrets' })
    const portal = { iqn: IQN, portal: parsePortal(PORTAL) }
    const database = await NodeDatabase.open(timely())
    assert.ok(database)
    for (const settings of [new Map<string, string>(), unusual]) {
      const chap = new Map([
        ['node.session.auth.authmethod', 'CHAP'],
        ['node.session.auth.username', 'host'],
        ['node.session.auth.password', 'one-of-the-secrets'],
      ])
      const asked = new Map([...sessionSettings(undefined, 9000), ...chap, ...settings])
      const draft: RecordDraft = await database.draft(portal, asked, timely())
      await draft.write(timely())
      const record = draft.settings
      assert.ok(record)

      assert.equal(await new Iscsid().login(record, timely()), true)
      const ours = attributes()
      await logout()
      const theirRequest = askedByIscsiadm()
      const theirs = attributes()
      await logout()

      assert.deepEqual(ours, theirs)
      const layout = requestLayouts.get(version)
      assert.ok(layout)
      const request = loginRequest(record, layout)
      assert.ok(request)
      assert.equal(theirRequest.length, request.length)
      // A list's two pointers, and how the portal was found: iscsid does not look at them.
      theirRequest.fill(0, 16, 32)
      const disc = layout.length - 1040
      theirRequest.fill(0, disc, disc + 4)
      assert.deepEqual(differences(request, theirRequest), [])
    }
    await database.remove(portal, timely())
  })
})

/** Nothing of this is a default anywhere. */
const unusual = new Map([
  ['node.session.timeo.replacement_timeout', '77'],
  ['node.session.err_timeo.abort_timeout', '11'],
  ['node.session.err_timeo.lu_reset_timeout', '12'],
  ['node.session.err_timeo.tgt_reset_timeout', '13'],
  ['node.session.cmds_max', '64'],
  ['node.session.queue_depth', '16'],
  ['node.session.iscsi.FastAbort', 'No'],
  ['node.session.iscsi.InitialR2T', 'Yes'],
  ['node.session.iscsi.FirstBurstLength', '65536'],
  ['node.session.iscsi.MaxBurstLength', '131072'],
  ['node.session.auth.chap_algs', 'SHA256,MD5'],
  ['node.conn[0].timeo.noop_out_interval', '7'],
  ['node.conn[0].timeo.noop_out_timeout', '8'],
  ['node.conn[0].iscsi.MaxRecvDataSegmentLength', '32768'],
  ['node.conn[0].iscsi.HeaderDigest', 'CRC32C,None'],
])

function makeTarget(chap?: Chap): ReturnType<typeof iscsiTarget> {
  return iscsiTarget({ iqn: IQN, portals: [PORTAL], luns: { 0: { megabytes: 16 } }, ...(chap && { chap }) })
}

/** A target for as long as a test runs. */
function serve(test: TestContext, chap?: Chap): void {
  const target = makeTarget(chap)
  test.after(() => {
    target.remove()
  })
}

async function logout(): Promise<void> {
  for (const session of await readSessions(timely())) assert.ok(await new Iscsid().logout(session, timely()))
}

/** All that sysfs says of the session and its connection, but for what no two sessions have in common. */
function attributes(): Record<string, string> {
  const found: Record<string, string> = {}
  for (const kind of ['iscsi_session', 'iscsi_connection']) {
    const [name] = readdirSync(`/sys/class/${kind}`)
    assert.ok(name !== undefined)
    for (const attribute of readdirSync(`/sys/class/${kind}/${name}`, { withFileTypes: true })) {
      if (
        !attribute.isFile() ||
        ['local_port', 'creator', 'uevent', 'target_id', 'exp_statsn'].includes(attribute.name)
      )
        continue
      found[`${kind}/${attribute.name}`] = content(`/sys/class/${kind}/${name}/${attribute.name}`)
    }
  }
  assert.ok(Object.keys(found).length > 20)
  return found
}

function content(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

/** Logs in by iscsiadm, and returns what it wrote to iscsid. */
function askedByIscsiadm(): Buffer {
  const strace = ['-e', 'trace=write,sendto', '-xx', '-s', '20000', 'iscsiadm', ...IQN_AND_PORTAL, '--login']
  const { stderr, status } = spawnSync('strace', strace, { encoding: 'utf8', maxBuffer: 1 << 24 })
  assert.equal(status, 0, stderr.slice(-500))
  const [, text] = /^(?:write|sendto)\(\d+, "(\\x01\\x00\\x00\\x00(?:\\x..){16000,})"/m.exec(stderr) ?? []
  assert.ok(text !== undefined)
  return Buffer.from(text.replaceAll('\\x', ''), 'hex')
}

function differences(a: Buffer, b: Buffer): string[] {
  return [...a].flatMap((byte, at) => (byte === b[at] ? [] : [`${at}: ${byte} ${b[at]}`]))
}
