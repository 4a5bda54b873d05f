/** The devices of a host: listed, and kept true while they come and go. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { audit, inventory, liveInventory } from 'hostbrick'
import type { LiveInventory } from 'hostbrick'
import { churn, Follower, pauseUdev, removeLeftovers, resumeUdev } from '../churn.ts'
import { run } from '../command.ts'
import { NullDisk } from '../null-disk.ts'
import { quietUdev, removeScsiDebug, restoreUdev, scsiDebug, scsiDebugDisks } from '../scsi-debug.ts'
import { until } from '../wait.ts'

const luns = 40
const limit = { timeout: 120_000 }
let names: string[] = []
before(async () => {
  quietUdev()
  await scsiDebug(luns)
  names = scsiDebugDisks()
})
after(async () => {
  await removeScsiDebug()
  restoreUdev()
})

const attribute = (name: string, file: string): string =>
  readFileSync(`/sys/class/block/${name}/${file}`, 'utf8').trim()

describe('the inventory', limit, () => {
  it('has every disk, with what the kernel calls it', async () => {
    const host = await inventory()
    assert.equal(names.length, luns)
    for (const name of names) {
      const device = host.byName.get(name) ?? assert.fail(`no ${name}`)
      assert.equal(device.identity?.names.kernel, attribute(name, 'device/wwid'))
      assert.equal(device.size, Number(attribute(name, 'size')) * 512)
      assert.equal(host.byDevno.get(attribute(name, 'dev')), device)
      assert.equal(host.byHctl.get(device.scsi?.hctl ?? ''), device)
      assert.deepEqual(host.byWwid.get(device.identity.names.udev ?? ''), [device])
    }
  })

  it('has mounts', async () => {
    const root = (await inventory()).mounts.find(({ path }) => path === '/')
    assert.equal(root?.type, 'overlay')
  })
})

describe('a live inventory', limit, () => {
  const isFresh = async (live: LiveInventory): Promise<void> => {
    await live.settled()
    const { byName } = await inventory()
    assert.deepEqual(new Map([...live.byName].sort()), new Map([...byName].sort()))
  }

  it('follows disks that go and come back, in every index', async () => {
    using live = await liveInventory()
    const [name = ''] = names
    const device = live.byName.get(name) ?? assert.fail(`no ${name}`)
    const wwid = device.identity?.names.udev ?? ''
    assert.deepEqual(live.byWwid.get(wwid), [device])
    writeFileSync(`/sys/class/block/${name}/device/delete`, '1')
    await until('it has gone', () => live.byWwid.get(wwid) === undefined && !live.byName.has(name))
    assert.equal(live.byHctl.get(device.scsi?.hctl ?? ''), undefined)
    await isFresh(live)
    writeFileSync(`/sys/class/scsi_host/host${device.scsi?.host}/scan`, `0 0 ${device.scsi?.lun}`)
    await until('it is back', () => live.byWwid.get(wwid)?.length === 1)
    const again = live.byWwid.get(wwid)?.[0]
    assert.notEqual(again?.diskSequence, device.diskSequence)
    assert.equal(live.byHctl.get(device.scsi?.hctl ?? ''), again)
    await isFresh(live)
  })

  it('knows what is built upon a disk, which is announced of neither', async () => {
    using live = await liveInventory()
    const disk = names[1] ?? ''
    run('dmsetup', 'create', 'lab-live', '--table', `0 2048 linear /dev/${disk} 0`)
    await until('the disk is held', () => live.byName.get(disk)?.holders.length === 1)
    const map = live.byName.get(live.byName.get(disk)?.holders[0] ?? '')
    assert.deepEqual([map?.map?.name, map?.slaves], ['lab-live', [disk]])
    await isFresh(live)
    run('dmsetup', 'remove', 'lab-live')
    await until('it is free', () => live.byName.get(disk)?.holders.length === 0)
    await isFresh(live)
  })

  it('is asked without a system call', () => {
    const script = '/tmp/lookups.mjs'
    writeFileSync(
      script,
      `import { writeSync } from 'node:fs'
       import { liveInventory } from '/share/dist/index.js'
       const live = await liveInventory()
       const wwids = [...live.byWwid.keys()]
       const lookUp = () => wwids.filter((wwid) => live.byWwid.get(wwid)?.[0]?.scsi === null)
       lookUp()
       writeSync(1, 'begin')
       lookUp()
       writeSync(1, 'end')
       live[Symbol.dispose]()`,
    )
    // Only the thread that JavaScript runs on is traced: others collect its garbage, and wait for the kernel's events.
    execFileSync('strace', ['--output=/tmp/lookups.strace', process.execPath, script], { stdio: 'ignore' })
    const calls = readFileSync('/tmp/lookups.strace', 'utf8').split('\n')
    const [begin, end] = ['begin', 'end'].map((word) =>
      calls.findIndex((call) => call.startsWith(`write(1, "${word}"`)),
    )
    assert.ok(begin !== undefined && begin > 0 && end !== undefined && end > begin, 'both are traced')
    assert.deepEqual(calls.slice(begin + 1, end), [])
  })

  it('and a watch end with what there is, when many disks come and go', async () => {
    NullDisk.load()
    pauseUdev()
    const follower = await Follower.start()
    try {
      await churn(60)
      const { live, watched } = await follower.compare()
      assert.deepEqual({ live, watched }, { live: true, watched: true })
    } finally {
      removeLeftovers()
      await follower.stop()
      resumeUdev()
    }
  })
})

describe('an audit', limit, () => {
  const found = async (): Promise<string[]> => (await audit()).map(({ kind, subject }) => `${kind} ${subject}`)

  it('finds what is left over, and changes nothing', async () => {
    assert.deepEqual(await found(), [])
    const [, , failed = '', held = ''] = names
    writeFileSync(`/sys/class/block/${failed}/device/state`, 'offline\n')
    run('dmsetup', 'create', 'lab-audit', '--table', `0 2048 linear /dev/${held} 0`)
    run('dmsetup', 'suspend', 'lab-audit')
    const link = '/dev/disk/by-id/lab-dangling'
    symlinkSync('../../sd-gone', link)
    try {
      const map = (await inventory()).devices.find((device) => device.map?.name === 'lab-audit')
      assert.deepEqual(await found(), [
        `failed-path /dev/${failed}`,
        `suspended-map ${map?.path}`,
        `dangling-link ${link}`,
      ])
      assert.equal(attribute(failed, 'device/state'), 'offline')
      assert.equal(
        run('dmsetup', 'info', '--columns', '--noheadings', '-o', 'suspended', 'lab-audit').trim(),
        'Suspended',
      )
    } finally {
      rmSync(link)
      run('dmsetup', 'resume', 'lab-audit')
      run('dmsetup', 'remove', 'lab-audit')
      writeFileSync(`/sys/class/block/${failed}/device/state`, 'running\n')
    }
    assert.deepEqual(await found(), [])
  })

  it('finds a disk that is another volume now', async () => {
    const [, , , , name = ''] = names
    const noted = (await inventory()).byName.get(name)?.identity?.key
    // From now on the pages of scsi_debug's disks name another host; the kernel's notes are of before.
    const parameter = '/sys/module/scsi_debug/parameters/vpd_use_hostno'
    writeFileSync(parameter, '0')
    const findings = await audit()
    writeFileSync(parameter, '1')
    const finding = findings.find(({ subject }) => subject === `/dev/${name}`)
    assert.equal(finding?.kind, 'identity-changed')
    assert.equal(finding.evidence['noted'], noted)
    assert.notEqual(finding.evidence['said'], noted)
  })
})
