import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DiscoveredTarget } from '../../lib/iscsi/discovery.ts'
import { formatPortal, parsePortal } from '../../lib/iscsi/portal.ts'
import { waysTo } from '../../lib/iscsi/targets.ts'
import { kernelLun } from '../../lib/scsi/lun.ts'

const iqn = 'iqn.2010-10.org.openstack:volume-1'
const target = { iqn, portal: parsePortal('10.0.0.1:3260'), lun: kernelLun(300) }

function discovered(name: string, ...portals: string[]): DiscoveredTarget {
  return { iqn: name, portals: portals.map((portal) => ({ portal, group: 1 })) }
}

function ways(...targets: DiscoveredTarget[]): string[] {
  return waysTo(target, targets).map((way) => `${way.iqn} ${formatPortal(way.portal)} ${way.lun}`)
}

describe('the ways to a volume', () => {
  it('are all portals of its target, the one that was named first', () => {
    assert.deepEqual(ways(discovered(iqn, '10.0.0.2:3260', '10.0.0.1:3260')), [
      `${iqn} 10.0.0.1:3260 300`,
      `${iqn} 10.0.0.2:3260 300`,
    ])
  })

  it('are not the targets of other volumes at the same portals', () => {
    const other = 'iqn.2010-10.org.openstack:volume-11'
    const both = ['10.0.0.1:3260', '10.0.0.2:3260']
    assert.deepEqual(ways(discovered(other, ...both), discovered(iqn, ...both)), [
      `${iqn} 10.0.0.1:3260 300`,
      `${iqn} 10.0.0.2:3260 300`,
    ])
  })

  it('are other targets at portals where its own is not: a backend with a target per portal', () => {
    const other = 'iqn.2010-10.com.array:port-2'
    assert.deepEqual(ways(discovered(iqn, '10.0.0.1:3260'), discovered(other, '10.0.0.2:3260')), [
      `${iqn} 10.0.0.1:3260 300`,
      `${other} 10.0.0.2:3260 300`,
    ])
  })

  it('are the one that was named when the portal keeps it to itself', () => {
    assert.deepEqual(ways(), [`${iqn} 10.0.0.1:3260 300`])
  })

  it('do not depend on how names and portals are spelt', () => {
    assert.deepEqual(ways(discovered(iqn.toUpperCase().replace('IQN', 'iqn'), '[::ffff:10.0.0.1]:3260')), [
      `${iqn} 10.0.0.1:3260 300`,
    ])
  })
})
