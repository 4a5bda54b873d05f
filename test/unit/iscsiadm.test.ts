import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { iscsiadm, showInterface } from '../../lib/cli/iscsiadm.ts'
import { run } from '../../lib/cli/run.ts'
import { tcp } from '../../lib/iscsi/interface.ts'
import { sessionSettings } from '../../lib/iscsi/node-settings.ts'
import { parsePortal } from '../../lib/iscsi/portal.ts'
import { Secret } from '../../lib/properties/secret.ts'
import { eventually } from './children/child.ts'

const folder = mkdtempSync(`${tmpdir()}/hostbrick-iscsiadm-`)
const calls = `${folder}/calls`
const status = `${folder}/status`
const record = `${folder}/record`
const noRecord = 21
const path = process.env['PATH'] ?? ''
const never = new AbortController().signal
const limit = { timeout: 20_000 }

const target = { portal: parsePortal('[fe80::1%eth0]:3261'), iqn: 'iqn.2010-10.org.openstack:volume-1' }
const place = ['--mode', 'node', '--targetname', target.iqn, '--portal', '[fe80::1%eth0]:3261']
const node = [...place, '--interface', 'default']
const session = {
  id: 7,
  host: 2,
  targetId: 0,
  over: tcp,
  targetName: target.iqn,
  portal: target.portal,
  peer: null,
  state: 'LOGGED_IN',
  units: [],
}
const plain = sessionSettings(undefined, 60_000)
const chap = sessionSettings({ method: 'CHAP', username: 'user', password: new Secret('hunter2hunter2') }, 60_000)

/** Notes its arguments, one line per call, and ends as it is told; shows a record when there is one. */
const standIn = `#!/bin/sh
printf '%s\\037' "$@" >> ${calls}
echo >> ${calls}
echo "iscsiadm: it said so" >&2
case "$*" in *'--op show') cat ${record} 2>/dev/null || exit ${noRecord} ;; esac
exit $(cat ${status})
`

const called = (): string[][] => {
  const lines = existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : []
  return lines.map((line) => line.split('\x1f').slice(0, -1))
}

const create = async (...[portal, settings, signal]: Parameters<typeof iscsiadm.draft>): Promise<void> => {
  await (await iscsiadm.draft(portal, settings, signal)).write(signal)
}

const verbs = {
  create: () => create(target, plain, never),
  remove: () => iscsiadm.remove(target, never),
  login: () => iscsiadm.login(target, null, never),
  logout: () => iscsiadm.logout(session, never),
}

describe('iscsiadm', () => {
  before(() => {
    writeFileSync(`${folder}/iscsiadm`, standIn, { mode: 0o755 })
  })
  beforeEach(() => {
    process.env['PATH'] = `${folder}:${path}`
    rmSync(calls, { force: true })
    rmSync(record, { force: true })
    writeFileSync(status, '0')
  })
  afterEach(() => {
    process.env['PATH'] = path
  })
  after(() => {
    rmSync(folder, { recursive: true })
  })

  const expected: Record<keyof typeof verbs, string[][]> = {
    create: [
      [...node, '--op', 'show'],
      [...node, '--op', 'new'],
      [...node, '--op', 'update', ...[...plain].flatMap(([name, value]) => ['--name', name, '--value', value])],
    ],
    remove: [[...node, '--op', 'delete']],
    login: [[...node, '--login']],
    logout: [['--mode', 'session', '--sid', '7', '--logout']],
  }
  for (const verb of ['create', 'remove', 'login', 'logout'] as const) {
    it(`is called to ${verb}`, async () => {
      await verbs[verb]()
      assert.deepEqual(called(), expected[verb])
    })
  }

  it('is told which interface', async () => {
    const adapter = { name: 'cxgb4i.00:07:43:06:02:68', transport: 'cxgb4i' }
    await iscsiadm.login({ ...target, over: adapter }, null, never)
    assert.deepEqual(called(), [[...place, '--interface', adapter.name, '--login']])
  })

  it('is asked what an interface is', async () => {
    writeFileSync(`${folder}/iscsiadm`, `#!/bin/sh\necho 'iface.transport_name = cxgb4i'\nexit $(cat ${status})\n`)
    assert.equal((await showInterface('cxgb4i.0', never))?.get('iface.transport_name'), 'cxgb4i')
    writeFileSync(status, '6')
    assert.equal(await showInterface('cxgb4i.0', never), undefined)
    writeFileSync(status, '13')
    await assert.rejects(showInterface('cxgb4i.0', never), { code: 'PERMISSION_DENIED' })
    writeFileSync(`${folder}/iscsiadm`, standIn)
  })

  const outcomes: [number, Partial<Record<keyof typeof verbs, 'fine'>>, string][] = [
    [0, { create: 'fine', remove: 'fine', login: 'fine', logout: 'fine' }, ''],
    [2, { logout: 'fine' }, 'TOOL_FAILED'],
    [8, {}, 'PORTAL_UNREACHABLE'],
    [15, { login: 'fine' }, 'TOOL_FAILED'],
    [19, {}, 'AUTH_FAILED'],
    [21, { remove: 'fine', logout: 'fine' }, 'TOOL_FAILED'],
    [24, {}, 'AUTH_FAILED'],
    [99, {}, 'TOOL_FAILED'],
  ]
  for (const [exit, fine, code] of outcomes) {
    for (const verb of ['create', 'remove', 'login', 'logout'] as const) {
      const outcome = fine[verb] ?? code
      it(`that ends with ${exit} makes ${verb} ${outcome}`, async () => {
        writeFileSync(status, String(exit))
        if (outcome === 'fine') return verbs[verb]()
        return assert.rejects(verbs[verb](), { name: 'BrickError', code, message: /it said so/ })
      })
    }
  }

  it('never gets a secret', async () => {
    await assert.rejects(create(target, chap, never), (error: Error & { code?: string }) => {
      return (
        error.code === 'NOT_SUPPORTED' &&
        !JSON.stringify(error).includes('hunter2') &&
        !error.message.includes('hunter2')
      )
    })
    assert.deepEqual(called(), [])
  })

  it('takes away the record that it made, when that is undone', async () => {
    const putBack = await iscsiadm.keep(target, never)
    rmSync(calls)
    await putBack(never)
    assert.deepEqual(called(), [[...node, '--op', 'delete']])
  })

  it('updates a record that is there, and puts back what it said', async () => {
    writeFileSync(record, '# BEGIN RECORD\nnode.session.scan = auto\nnode.session.auth.password = ********\n')
    const putBack = await iscsiadm.keep(target, never)
    await create(target, plain, never)
    assert.ok(!called().some((parameters) => parameters.includes('new')))
    rmSync(calls)
    await putBack(never)
    assert.deepEqual(called(), [[...node, '--op', 'update', '--name', 'node.session.scan', '--value', 'auto']])
  })

  it('is given up on abort', limit, async () => {
    writeFileSync(`${folder}/iscsiadm`, `#!/bin/sh\necho >> ${calls}\nexec sleep 60\n`, { mode: 0o755 })
    const caller = new AbortController()
    const login = iscsiadm.login(target, null, caller.signal)
    await eventually(() => existsSync(calls))
    const reason = new Error('enough')
    caller.abort(reason)
    await assert.rejects(login, (error) => error === reason)
    writeFileSync(`${folder}/iscsiadm`, standIn, { mode: 0o755 })
  })

  it('that is missing is NOT_SUPPORTED; then there are no records to remove either', async () => {
    process.env['PATH'] = `${folder}/nowhere`
    const missing = { code: 'NOT_SUPPORTED', details: { program: 'iscsiadm' } }
    for (const verb of ['create', 'login', 'logout'] as const) await assert.rejects(verbs[verb](), missing)
    await verbs.remove()
  })
})

describe('a program', () => {
  afterEach(() => {
    process.env['PATH'] = path
  })

  it('speaks the same language everywhere, and gets nothing else of our environment', async () => {
    const { code, output } = await run('env', [], never)
    assert.equal(code, 0)
    assert.deepEqual(output.trim().split('\n').sort(), ['LC_ALL=C', `PATH=${path}:/usr/sbin:/sbin`])
  })

  it('reads its input', async () => {
    assert.equal((await run('cat', [], never, 'secret')).output, 'secret')
  })

  it('cannot be confused by what looks like shell', async () => {
    assert.equal((await run('echo', ['$(id)', '; id', '*'], never)).output, '$(id) ; id *\n')
  })

  it(
    'is found in /usr/sbin, though PATH lacks it',
    {
      skip: !existsSync('/sbin/ldconfig') && 'no ldconfig to look for',
    },
    async () => {
      process.env['PATH'] = folder
      assert.equal((await run('ldconfig', ['--version'], never)).code, 0)
    },
  )
})
