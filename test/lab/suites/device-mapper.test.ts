/** Device-mapper's ioctls and multipathd's socket, on a map that multipathd has made of two paths, and on plain maps. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { binding, finish } from '../../../dist/binding.js'
import type { MapState } from '../../../dist/binding.js'
import { askMultipathd } from '../../../dist/multipath/daemon.js'
import { parseMultipathStatus } from '../../../dist/multipath/map-status.js'
import type { MapPath } from '../../../dist/multipath/map-status.js'
import { run } from '../command.ts'
import { startIscsid, startMultipathd, type Daemon } from '../daemons.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'
import { until } from '../wait.ts'

const IQN = 'iqn.2026-11.lab:dm'
const PORTALS = ['127.0.0.1:3260', '127.0.0.2:3260']
/** So seldom does multipathd look after the paths that it does not mend what a test has broken. */
const CONFIGURATION = `
defaults {
  find_multipaths no
  user_friendly_names no
  polling_interval 600
}
`
const PLAIN = 'hostbrick-plain'
const NOBODY = 65534
const timely = (): AbortSignal => AbortSignal.timeout(30_000)

let iscsid: Daemon
let multipathd: Daemon
let target: IscsiTarget
let clean: Snapshot
/** The map's name, its device and those of its paths: 'dm-0', and 'sda' with '8:0'. */
let name = ''
let device = ''
let paths: { disk: string; devno: string }[] = []

before(async () => {
  iscsid = await startIscsid()
  multipathd = await startMultipathd(CONFIGURATION)
  target = iscsiTarget({ iqn: IQN, portals: PORTALS, luns: { 0: { megabytes: 16 } } })
  clean = snapshot()
  for (const portal of PORTALS) {
    run('iscsiadm', ...node(portal), '--op', 'new')
    run('iscsiadm', ...node(portal), '--login')
  }
  await until('there is a map of both paths', () => {
    device = readdirSync('/sys/class/block').find((other) => other.startsWith('dm-')) ?? ''
    const slaves = `/sys/class/block/${device}/slaves`
    return device !== '' && existsSync(slaves) && readdirSync(slaves).length === PORTALS.length
  })
  await settled()
  name = attribute(`${device}/dm/name`)
  paths = readdirSync(`/sys/class/block/${device}/slaves`).map((disk) => ({ disk, devno: attribute(`${disk}/dev`) }))
})
after(async () => {
  for (const portal of PORTALS) {
    run('iscsiadm', ...node(portal), '--logout')
    run('iscsiadm', ...node(portal), '--op', 'delete')
  }
  target.remove()
  await multipathd.stop()
  await iscsid.stop()
  await assertNothingLeft(clean)
})

describe('the state of a map', () => {
  it('is what sysfs says, and has both paths', async () => {
    const state = await stateOf(name)
    assert.equal(state.uuid, attribute(`${device}/dm/uuid`))
    assert.equal(state.suspended, false)
    const { paths: found } = parseMultipathStatus(state)
    assert.deepEqual(
      found.map(({ devno, active }) => ({ devno, active })).sort((a, b) => a.devno.localeCompare(b.devno)),
      paths.map(({ devno }) => ({ devno, active: true })).sort((a, b) => a.devno.localeCompare(b.devno)),
    )
  })

  it('tells a path that has failed from one that works', async () => {
    const [{ disk, devno }, other] = paths as [(typeof paths)[0], (typeof paths)[0]]
    const before = await path(devno)
    assert.equal(await askMultipathd(`fail path ${disk}`, timely()), 'ok')
    assert.deepEqual(await path(devno), { devno, active: false, failures: before.failures + 1 })
    assert.equal((await path(other.devno)).active, true)
    assert.equal(await askMultipathd(`reinstate path ${disk}`, timely()), 'ok')
    assert.deepEqual(await path(devno), { devno, active: true, failures: before.failures + 1 })
  })
})

describe('a plain map', () => {
  afterEach(() => {
    if (existsSync(`/dev/mapper/${PLAIN}`)) run('dmsetup', 'remove', '--retry', PLAIN)
  })

  it('of very many targets is told whole', async () => {
    const count = 5000
    make(Array.from({ length: count }, (_, sector) => `${sector} 1 ${sector % 2 ? 'error' : 'zero'}`))
    const { table, status } = await stateOf(PLAIN)
    for (const targets of [table, status]) {
      assert.equal(targets.length, count)
      assert.equal(
        targets.every(({ type }, sector) => type === (sector % 2 ? 'error' : 'zero')),
        true,
        'in order',
      )
    }
  })

  it('has a table like any other, but is no multipath map', async () => {
    make([`0 64 linear /dev/mapper/${name} 128`])
    const state = await stateOf(PLAIN)
    assert.deepEqual(state.table, [{ type: 'linear', parameters: `${attribute(`${device}/dev`)} 128` }])
    assert.throws(() => parseMultipathStatus(state), { name: 'BrickError', code: 'SYSTEM' })
  })

  it('without a table has no targets', async () => {
    run('dmsetup', 'create', PLAIN, '--notable')
    assert.deepEqual(await stateOf(PLAIN), { uuid: '', suspended: false, table: [], status: [] })
    await remove(PLAIN)
  })

  it('is removed when nobody has it open', async () => {
    make(['0 64 zero'])
    const file = openSync(`/dev/mapper/${PLAIN}`, 'r')
    try {
      await assert.rejects(remove(PLAIN), { name: 'SystemError', code: 'EBUSY', path: PLAIN })
    } finally {
      closeSync(file)
    }
    await remove(PLAIN)
    await assert.rejects(remove(PLAIN), { code: 'ENXIO' })
    await assert.rejects(stateOf(PLAIN), { code: 'ENXIO' })
  })

  it('is removed as soon as nobody has it open any more', async () => {
    make(['0 64 zero'])
    const file = openSync(`/dev/mapper/${PLAIN}`, 'r')
    try {
      await remove(PLAIN, true)
      assert.equal((await stateOf(PLAIN)).table.length, 1)
    } finally {
      closeSync(file)
    }
    await until('the map is gone', () => !existsSync(`/dev/mapper/${PLAIN}`))
    await assert.rejects(stateOf(PLAIN), { code: 'ENXIO' })
  })
})

describe('multipathd', () => {
  it('answers', async () => {
    assert.match((await askMultipathd('show status', timely())) ?? '', /^path checker states:\nup +2\n[^]*busy: \w+$/)
    assert.match((await askMultipathd('show daemon', timely())) ?? '', new RegExp(`^pid ${multipathd.pid} \\w+$`))
  })

  it('answers at length', async () => {
    const configuration = (await askMultipathd('show config', timely())) ?? ''
    assert.equal(configuration.length > 10_000, true, `${configuration.length} characters`)
    assert.equal(`${configuration}\n`, run('multipathd', 'show', 'config'))
  })

  it('answers everybody who asks at once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => askMultipathd('show daemon', timely())))
    assert.equal(
      answers.every((answer) => answer?.startsWith(`pid ${multipathd.pid} `)),
      true,
      answers.join(),
    )
  })

  it('says why it did not do what it was told', async () => {
    for (const [command, code] of [
      ['del map nosuch', 'DEVICE_NOT_FOUND'],
      ['add path sdzz', 'TOOL_FAILED'],
      ['frobnicate', 'TOOL_FAILED'],
      ['show', 'TOOL_FAILED'],
    ] as const) {
      await assert.rejects(askMultipathd(command, timely()), { name: 'BrickError', code })
    }
  })

  it('lets only root do more than look', async (test) => {
    process.seteuid?.(NOBODY)
    test.after(() => process.seteuid?.(0))
    assert.match((await askMultipathd('show status', timely())) ?? '', /^path checker states:/)
    await assert.rejects(askMultipathd(`fail path ${paths[0]?.disk}`, timely()), { code: 'PERMISSION_DENIED' })
    await assert.rejects(stateOf(name), { code: 'EACCES', path: '/dev/mapper/control' })
  })

  it('is not waited for longer than the caller wants', async () => {
    const reason = new Error('enough')
    await assert.rejects(askMultipathd('show status', AbortSignal.abort(reason)), (error) => error === reason)
    const controller = new AbortController()
    const asked = askMultipathd('show config', controller.signal)
    controller.abort(reason)
    await assert.rejects(asked, (error) => error === reason)
  })

  it('is asked at its path, where it has one, first', async (test) => {
    // The guest's release has none: this passes on what is said at the path to the real daemon.
    let clients = 0
    const relay = createServer((client) => {
      clients++
      client.once('data', (request: Buffer) => {
        const daemon = [{ abstract: '/org/kernel/linux/storage/multipathd' }] as const
        void binding()
          .exchange(daemon, request, 'counted')
          .result.then((answer) => client.end(answer))
      })
    })
    relay.listen('/run/multipathd.socket')
    await once(relay, 'listening')
    test.after(() => relay.close())
    assert.match((await askMultipathd('show daemon', timely())) ?? '', new RegExp(`^pid ${multipathd.pid} `))
    assert.equal(clients, 1)
  })

  it('does not remove a map that is open', async () => {
    const file = openSync(`/dev/${device}`, 'r')
    try {
      await assert.rejects(askMultipathd(`del map ${name}`, timely()), { code: 'DEVICE_IN_USE' })
    } finally {
      closeSync(file)
    }
  })

  it('does not answer when it has ended', async () => {
    await multipathd.stop()
    assert.equal(await askMultipathd('show status', timely()), undefined)
  })
})

/** It would say again, at each event of a path, whether the map is to queue. */
describe('a multipath map that no multipathd looks after', () => {
  it('is told also while no path works and requests wait', async () => {
    await message('queue_if_no_path')
    for (const { devno } of paths) await message(`fail_path ${devno}`)
    const { queueing, paths: found } = parseMultipathStatus(await stateOf(name))
    for (const { devno } of paths) await message(`reinstate_path ${devno}`)
    assert.deepEqual([queueing, found.map(({ active }) => active)], [true, [false, false]])
  })

  it('says whether requests wait when no path works', async () => {
    for (const queueing of [false, true, false]) {
      await message(queueing ? 'queue_if_no_path' : 'fail_if_no_path')
      assert.equal(parseMultipathStatus(await stateOf(name)).queueing, queueing)
    }
  })

  it('says that it is suspended, until it is resumed', async (test) => {
    test.after(() => run('dmsetup', 'resume', name))
    run('dmsetup', 'suspend', '--noflush', name)
    assert.equal((await stateOf(name)).suspended, true)
    await assert.rejects(message('fail_if_no_path'), { name: 'SystemError', code: 'EBUSY', path: name })
    await finish(binding().resumeMap(lane(name), name), timely())
    assert.equal((await stateOf(name)).suspended, false)
    assert.equal(attribute(`${device}/dm/suspended`), '0')
  })

  it('does not say that requests wait while it is suspended with a flush', async (test) => {
    test.after(() => run('dmsetup', 'resume', name))
    await message('queue_if_no_path')
    run('dmsetup', 'suspend', name)
    assert.equal(parseMultipathStatus(await stateOf(name)).queueing, false)
    await finish(binding().resumeMap(lane(name), name), timely())
    assert.equal(parseMultipathStatus(await stateOf(name)).queueing, true)
  })

  it('is removed when nobody has it open', async () => {
    await settled() // udev looks into a map that was resumed
    const file = openSync(`/dev/${device}`, 'r')
    try {
      await assert.rejects(remove(name), { code: 'EBUSY' })
    } finally {
      closeSync(file)
    }
    assert.equal(parseMultipathStatus(await stateOf(name)).paths.length, 2)
    await remove(name)
    await assert.rejects(stateOf(name), { code: 'ENXIO' })
  })
})

it('no call of ours is left in the kernel', () => {
  assert.equal(binding().laneStatistics().parked, 0)
})

function lane(map: string): string {
  return `dm:${map}`
}

function stateOf(map: string): Promise<MapState> {
  return finish(binding().mapState(lane(map), map), timely())
}

function message(text: string): Promise<void> {
  return finish(binding().messageMap(lane(name), name, text), timely())
}

function remove(map: string, whenClosed = false): Promise<void> {
  return finish(binding().removeMap(lane(map), map, whenClosed), timely())
}

async function path(devno: string): Promise<MapPath> {
  const found = parseMultipathStatus(await stateOf(name)).paths.find((other) => other.devno === devno)
  return found ?? assert.fail(`no path ${devno}`)
}

/** A map that has nothing to do with multipath. */
function make(table: readonly string[]): void {
  writeFileSync('/run/hostbrick-table', `${table.join('\n')}\n`)
  run('dmsetup', 'create', PLAIN, '/run/hostbrick-table')
}

function attribute(below: string): string {
  return readFileSync(`/sys/class/block/${below}`, 'utf8').trim()
}

function node(portal: string): string[] {
  return ['-m', 'node', '-T', IQN, '-p', portal]
}
