import assert from 'node:assert/strict'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import { nodeRecord, parseNodeSettings } from '../../lib/iscsi/node-settings.ts'
import { parsePortal } from '../../lib/iscsi/portal.ts'
import { emptyHost, run } from './children/child.ts'

const never = new AbortController().signal
const target = { portal: parsePortal('[FE80::1%eth0]:3261'), iqn: 'iqn.2010-10.org.openstack:Volume-1' }

describe('parseNodeSettings', () => {
  it("keeps what concerns nodes, as iscsid's own parser reads it", () => {
    const text = `# iscsid.conf
iscsid.startup = /bin/systemctl start iscsid.socket
#node.startup = automatic
 node.startup=manual
node.leading_login = No \r
node.session.auth.password = a = b # c
node.session.timeo.replacement_timeout =
node.conn[0].timeo.noop_out_interval\t=\t5
node.startup.more words = x
discovery.sendtargets.auth.authmethod = CHAP
node.discovery_type`
    assert.deepEqual(Object.fromEntries(parseNodeSettings(text)), {
      'node.startup': 'manual',
      'node.leading_login': 'No',
      'node.session.auth.password': 'a = b # c',
      'node.session.timeo.replacement_timeout': '',
      'node.conn[0].timeo.noop_out_interval': '5',
    })
  })

  it('takes the last of several', () => {
    assert.deepEqual([...parseNodeSettings('node.a = 1\nnode.a = 2\n')], [['node.a', '2']])
  })
})

describe('a node record', () => {
  it('says where the target is, and what is wanted of the session', async () => {
    const record = await nodeRecord(target, new Map([['node.session.scan', 'manual']]), never)
    const lines = record.split('\n')
    assert.match(lines[0] ?? '', /^# BEGIN RECORD /)
    assert.deepEqual(lines.slice(-2), ['# END RECORD', ''])
    for (const line of [
      `node.name = ${target.iqn}`,
      'node.tpgt = -1',
      'iface.iscsi_ifacename = default',
      'node.conn[0].address = fe80::1%eth0',
      'node.conn[0].port = 3261',
      'node.session.scan = manual',
    ]) {
      assert.equal(lines.filter((each) => each === line).length, 1, line)
    }
  })

  it('says what the session is to run over', async () => {
    const over = { name: 'iser', transport: 'iser' }
    const lines = (await nodeRecord({ ...target, over }, new Map(), never)).split('\n')
    assert.deepEqual(
      lines.filter((line) => line.startsWith('iface.')),
      ['iface.iscsi_ifacename = iser', 'iface.transport_name = iser'],
    )
  })

  it('has no line that a value brought', async () => {
    const settings = new Map([['node.session.auth.username', 'user\niface.transport_name = evil']])
    const record = await nodeRecord(target, settings, never).catch(() => '')
    assert.ok(!record.includes('\niface.transport_name = evil'))
  })
})

it(
  'the database of a host that is all ours',
  { skip: getuid?.() !== 0 && 'only root can have a mount namespace', timeout: 40_000 },
  async () => {
    const { code, hung, stdout, stderr } = await run('node-database.ts', [], { wrapper: emptyHost })
    assert.deepEqual({ code, hung }, { code: 0, hung: false }, stdout + stderr)
  },
)
