/**
 * The addon's verbs on a real disk of a real kernel, below the public surface: what the connectors build on and what
 * those that are still to come will.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { ISCSIConnector } from 'hostbrick'
import type { DeviceInfo } from 'hostbrick'
import { binding, finish } from '../../../dist/binding.js'
import { parseInquiry, parseReadCapacity16, parseReportLuns } from '../../../dist/scsi/responses.js'
import { readUdevEntry } from '../../../dist/udev/database.js'
import { Watch } from '../../../dist/wait.js'
import { startIscsid, type Daemon } from '../daemons.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'

const MEBIBYTE = 1024 * 1024
const IQN = 'iqn.2026-11.lab:native'
const volume = { target_portal: '127.0.0.1:3260', target_iqn: IQN, target_lun: 0 }
const connector = new ISCSIConnector()
const timely = (): AbortSignal => AbortSignal.timeout(30_000)

let iscsid: Daemon
let target: IscsiTarget
let info: DeviceInfo
let links: string[] = []

before(async () => {
  iscsid = await startIscsid()
  target = iscsiTarget({ iqn: IQN, portals: ['127.0.0.1:3260'], luns: { 0: { megabytes: 64 }, 300: { megabytes: 8 } } })
  using udev = new Watch('udev', [''], (event) => {
    if (event.action !== 'add' || !/\/block\/sd[a-z]+$/.test(event.devicePath)) return false
    links = event.property('DEVLINKS')?.split(' ') ?? []
    return true
  })
  info = await connector.connectVolume(volume)
  await udev.until(() => (links.length > 0 ? true : undefined), timely())
})
after(async () => {
  await connector.disconnectVolume(volume, info)
  target.remove()
  await iscsid.stop()
})

describe('SG_IO', () => {
  it('asks for the standard data and the pages that the kernel has noted', async () => {
    const { standard, page80, page83 } = await finish(binding().identify('lab', info.path, 5000), timely())
    assert.ok(standard && page80 && page83)
    const { vendor, qualifier, type } = parseInquiry(standard)
    assert.deepEqual({ vendor: vendor.trim(), qualifier, type }, { vendor: 'LIO-ORG', qualifier: 0, type: 0 })
    for (const [page, live] of Object.entries({ '80': page80, '83': page83 })) {
      const noted = readFileSync(`/sys/class/block/${info.path.slice(5)}/device/vpd_pg${page}`)
      assert.ok(live.subarray(0, noted.length).equals(noted), `page ${page}`)
    }
  })

  it('tells which LUNs the target shows', async () => {
    const luns = parseReportLuns(await finish(binding().reportLuns('lab', info.path, 5000), timely()))
    // LIO spells every LUN as a plain number, also from 256 on, where others use flat space addressing.
    assert.deepEqual([...luns].sort(), [0, 300])
  })

  it('tells the size', async () => {
    const { bytes, blockSize } = parseReadCapacity16(
      await finish(binding().readCapacity('lab', info.path, 5000), timely()),
    )
    assert.deepEqual({ bytes, blockSize }, { bytes: BigInt(64 * MEBIBYTE), blockSize: 512 })
  })
})

describe('udev', () => {
  it('names the same links in its message and in its database, and they exist', async () => {
    const entry = await readUdevEntry(info.identity.devno, timely())
    assert.ok(entry)
    assert.deepEqual(entry.links.map((link) => `/dev/${link}`).sort(), [...links].sort())
    assert.equal(entry.properties.get('ID_SERIAL'), info.scsi_wwn)
    assert.ok(readdirSync('/dev/disk/by-id').includes(`scsi-${info.scsi_wwn}`))
  })
})

describe('the kernel', () => {
  it('parked no call of ours', () => {
    assert.equal(binding().laneStatistics().parked, 0)
  })
})
