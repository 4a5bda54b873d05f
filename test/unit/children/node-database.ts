// Tests of open-iscsi's database, in a mount namespace where /var/lib, /etc and /run are empty and ours.
import assert from 'node:assert/strict'
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { binding } from '../../../lib/binding.ts'
import { NodeDatabase } from '../../../lib/iscsi/node-database.ts'
import { parseNodeSettings } from '../../../lib/iscsi/node-settings.ts'
import type { NodeSettings } from '../../../lib/iscsi/node-settings.ts'
import { parsePortal } from '../../../lib/iscsi/portal.ts'
import type { TargetPortal } from '../../../lib/iscsi/portal.ts'

const never = new AbortController().signal
const target = { portal: parsePortal('10.0.0.1:3260'), iqn: 'iqn.2010-10.org.openstack:volume-1' }
const neighbour = { ...target, portal: parsePortal('10.0.0.11:3260') }
const settings = new Map([['node.session.auth.password', 'hunter2hunter2']])
const nodes = '/var/lib/iscsi/nodes'
const file = `${nodes}/${target.iqn}/10.0.0.1,3260`
const [lockFile, heldLock] = ['/run/lock/iscsi/lock', '/run/lock/iscsi/lock.write']

for (const folder of ['/run/lock', '/etc/iscsi']) mkdirSync(folder, { recursive: true })

async function create(
  database: NodeDatabase,
  portal: TargetPortal,
  record: NodeSettings,
  signal: AbortSignal,
): Promise<void> {
  await (await database.draft(portal, record, signal)).write(signal)
}

async function open(): Promise<NodeDatabase> {
  return (await NodeDatabase.open(never)) ?? assert.fail('no database')
}

/** Holds the database as another program does. */
function hold(): void {
  mkdirSync('/run/lock/iscsi', { recursive: true })
  writeFileSync(lockFile, '')
  linkSync(lockFile, heldLock)
}

describe('before there is a database', () => {
  it('it is not clear where it would be', async () => {
    assert.equal(await NodeDatabase.open(never), undefined)
    for (const folder of ['/etc/iscsi/ifaces', '/var/lib/iscsi/nodes']) mkdirSync(folder, { recursive: true })
    assert.equal(await NodeDatabase.open(never), undefined)
    rmSync('/etc/iscsi/ifaces', { recursive: true })
    assert.ok(await NodeDatabase.open(never))
  })
})

describe('the database', () => {
  beforeEach(() => {
    rmSync(nodes, { recursive: true, force: true })
    rmSync('/run/lock/iscsi', { recursive: true, force: true })
  })
  afterEach(() => {
    assert.ok(!existsSync(heldLock), 'the lock is left behind')
  })

  it('has records: made, put back as they were and removed, with nothing left', async () => {
    const database = await open()
    await database.remove(target, never)
    const takeAway = await database.keep(target, never)
    await create(database, target, settings, never)
    assert.equal(parseNodeSettings(readFileSync(file, 'utf8')).get('node.session.auth.password'), 'hunter2hunter2')
    assert.deepEqual([statSync(file).mode & 0o777, statSync(`${nodes}/${target.iqn}`).mode & 0o777], [0o600, 0o700])
    assert.deepEqual(readdirSync(nodes, { recursive: true }).sort(), [target.iqn, `${target.iqn}/10.0.0.1,3260`])
    writeFileSync(file, 'as it was\n')
    const putBack = await database.keep(target, never)
    await create(database, target, settings, never)
    await putBack(never)
    assert.equal(readFileSync(file, 'utf8'), 'as it was\n')
    await takeAway(never)
    assert.deepEqual(readdirSync(nodes), [])
    assert.deepEqual(readdirSync('/var/lib/iscsi'), ['nodes'])
  })

  it("starts from the host's defaults", async () => {
    writeFileSync(
      '/etc/iscsi/iscsid.conf',
      'node.startup = automatic\nnode.session.cmds_max = 64\nnode.session.auth.password = default\nother = 1\n',
    )
    await create(await open(), target, settings, never)
    const record = parseNodeSettings(readFileSync(file, 'utf8'))
    assert.deepEqual(
      ['node.startup', 'node.session.cmds_max', 'node.session.auth.password'].map((name) => record.get(name)),
      // Never automatic: the volume must not come back by itself when the host is started.
      ['manual', '64', 'hunter2hunter2'],
    )
    rmSync('/etc/iscsi/iscsid.conf')
  })

  it('keeps the records of others', async () => {
    const database = await open()
    await create(database, neighbour, settings, never)
    const discovered = `${nodes}/${target.iqn}/10.0.0.1,3260,1`
    mkdirSync(discovered)
    writeFileSync(`${discovered}/default`, 'discovered')
    await create(database, target, settings, never)
    await database.remove(target, never)
    assert.deepEqual(readdirSync(`${nodes}/${target.iqn}`).sort(), ['10.0.0.11,3260', '10.0.0.1,3260,1'].sort())
    assert.equal(readFileSync(`${discovered}/default`, 'utf8'), 'discovered')
  })

  it('is waited for while another program has it', { timeout: 20_000 }, async () => {
    hold()
    const link = new Promise<void>((resolve) => setImmediate(resolve))
    const created = create(await open(), target, settings, never)
    await link
    assert.ok(!existsSync(file))
    unlinkSync(heldLock)
    await created
    assert.ok(existsSync(file))
  })

  it('is BUSY when that takes too long', { timeout: 20_000 }, async (t) => {
    hold()
    const wait = setTimeout
    const patience: number[] = []
    t.mock.method(globalThis, 'setTimeout', (call: () => void, milliseconds: number) => {
      patience.push(milliseconds)
      return wait(call, milliseconds / 250)
    })
    await assert.rejects(create(await open(), target, settings, never), { code: 'BUSY', details: { lock: heldLock } })
    assert.ok(patience.includes(5000))
    assert.ok(!existsSync(nodes))
    assert.ok(existsSync(heldLock), "another program's lock is not ours to take away")
    unlinkSync(heldLock)
  })

  it('is given up on abort, whoever has it then', { timeout: 20_000 }, async (t) => {
    const database = await open()
    const reason = new Error('enough')
    hold()
    const caller = new AbortController()
    const waiting = create(database, target, settings, caller.signal)
    setImmediate(() => {
      caller.abort(reason)
    })
    await assert.rejects(waiting, (error) => error === reason)
    unlinkSync(heldLock)

    // The abort comes when the record is already there, and nobody has heard of it yet.
    const late = new AbortController()
    const changeFiles = binding().changeFiles.bind(binding())
    t.mock.method(binding(), 'changeFiles', (...parameters: Parameters<typeof changeFiles>) => {
      const job = changeFiles(...parameters)
      if (parameters[1].some(({ verb }) => verb === 'link')) {
        while (!existsSync(file));
        late.abort(reason)
      }
      return job
    })
    await create(database, target, settings, late.signal).catch((error: unknown) => {
      assert.equal(error, reason)
    })
  })

  it('is changed by one at a time', { timeout: 20_000 }, async () => {
    const database = await open()
    const targets = Array.from({ length: 20 }, (_, number) => ({ ...target, portal: parsePortal(`10.0.0.${number}`) }))
    await Promise.all(targets.map((each) => create(database, each, settings, never)))
    assert.equal(readdirSync(`${nodes}/${target.iqn}`).length, 20)
    await Promise.all(targets.map((each) => database.remove(each, never)))
    assert.deepEqual(readdirSync(nodes), [])
  })

  it('keeps no draft, with its secret, of a record that could not be put in place', async () => {
    mkdirSync(file, { recursive: true })
    await assert.rejects(create(await open(), target, settings, never), { code: 'EISDIR' })
    assert.deepEqual(readdirSync('/var/lib/iscsi'), ['nodes'])
  })
})
