import type { BlockDevice } from '../inventory/block-device.ts'
import { formatPortal } from '../iscsi/portal.ts'
import type { Facts } from './facts.ts'
import type { Finding } from './finding.ts'

/** States in which the kernel sends a SCSI device nothing (scsi_device_state in include/scsi/scsi_device.h). */
const failed = ['offline', 'transport-offline', 'blocked']

/** What is left over, by what was found. */
export function judge(facts: Facts): Finding[] {
  return [
    ...failedPaths(facts),
    ...mapsWithoutPaths(facts),
    ...suspendedMaps(facts),
    ...changedIdentities(facts),
    ...sessionsWithoutUnits(facts),
    ...reconnectingControllers(facts),
    ...danglingLinks(facts),
  ]
}

/** A disk that cannot be reached and that no map is above. With a map it is multipathd's. */
function failedPaths({ host, sessions, unitStates }: Facts): Finding[] {
  return host.devices.flatMap((device) => {
    const { kind, path, scsi, holders } = device
    if (kind !== 'disk' || scsi === null || holders.length > 0) return []
    const state = unitStates.get(scsi.hctl) ?? 'gone'
    const session = sessions.find(({ id }) => id === scsi.session)
    const isLost = session !== undefined && session.state !== 'LOGGED_IN'
    if (!failed.includes(state) && !isLost) return []
    return {
      kind: 'failed-path',
      subject: path,
      evidence: { hctl: scsi.hctl, state, session: session?.state ?? null, mounted: mountPoints(host, device) },
      plan: [...release(host, device), `echo 1 > /sys/class/scsi_device/${scsi.hctl}/device/delete`],
    }
  })
}

function mapsWithoutPaths({ host, maps }: Facts): Finding[] {
  return maps.flatMap(({ device, paths }) => {
    if (device.map === null || paths === null || paths.some(({ working }) => working)) return []
    return {
      kind: 'map-without-paths',
      subject: device.path,
      evidence: {
        map: device.map.name,
        paths: paths.map(({ devno }) => host.byDevno.get(devno)?.path ?? devno),
        holders: device.holders,
        mounted: mountPoints(host, device),
      },
      plan: [
        'bring a path back, if the volume is still needed',
        `multipathd disablequeueing map ${device.map.name}`,
        ...release(host, device),
        `multipath -f ${device.map.name}`,
      ],
    }
  })
}

function suspendedMaps({ maps }: Facts): Finding[] {
  return maps.flatMap(({ device: { path, map, holders }, suspended }) => {
    if (map === null || !suspended) return []
    return {
      kind: 'suspended-map',
      subject: path,
      evidence: { map: map.name, uuid: map.uuid, holders },
      plan: ['make sure that no program is in the midst of changing it', `dmsetup resume ${map.name}`],
    }
  })
}

function changedIdentities({ host, changed }: Facts): Finding[] {
  return changed.map(({ device, said }) => ({
    kind: 'identity-changed',
    subject: device.path,
    evidence: {
      hctl: device.scsi?.hctl ?? null,
      noted: device.identity?.key ?? null,
      said: said?.key ?? null,
      holders: device.holders,
      mounted: mountPoints(host, device),
    },
    plan: [
      'write nothing to it: it is another volume than the one that it was attached for, or none',
      ...release(host, device),
      `echo 1 > /sys/class/scsi_device/${device.scsi?.hctl ?? ''}/device/delete`,
    ],
  }))
}

function sessionsWithoutUnits({ sessions }: Facts): Finding[] {
  return sessions.flatMap(({ id, targetName, portal, state, units }) => {
    if (state !== 'LOGGED_IN' || units.length > 0) return []
    return {
      kind: 'session-without-units',
      subject: `session${id}`,
      evidence: { target: targetName, portal: portal && formatPortal(portal) },
      plan: ['make sure that no attach is under way', `iscsiadm --mode session --sid ${id} --logout`],
    }
  })
}

function reconnectingControllers({ controllers }: Facts): Finding[] {
  return controllers.flatMap(({ name, state, nqn, patience }) => {
    if (state !== 'connecting' || patience !== 'off') return []
    return {
      kind: 'controller-reconnecting',
      subject: name,
      evidence: { state, nqn, ctrl_loss_tmo: patience },
      plan: [
        'bring its portal back, if the subsystem is still needed',
        `unmount what is on its namespaces, then: nvme disconnect --device=${name}`,
      ],
    }
  })
}

function danglingLinks({ host, links }: Facts): Finding[] {
  const nodes = new Set(host.devices.map(({ path }) => path))
  return links.flatMap(({ link, node }) => {
    if (nodes.has(node)) return []
    return { kind: 'dangling-link', subject: link, evidence: { node }, plan: [`rm ${link}`] }
  })
}

function mountPoints(host: Facts['host'], device: BlockDevice): string[] {
  return withPartitions(host, device).flatMap((part) => host.mountsOf(part).map(({ path }) => path))
}

function release(host: Facts['host'], device: BlockDevice): string[] {
  const parts = withPartitions(host, device)
  return [
    ...mountPoints(host, device).map((path) => `umount ${path}`),
    ...parts.flatMap(({ holders }) => holders.map((holder) => `take down what is built upon it: /dev/${holder}`)),
    `make sure that nothing has it open: fuser --verbose ${parts.map(({ path }) => path).join(' ')}`,
  ]
}

function withPartitions(host: Facts['host'], device: BlockDevice): BlockDevice[] {
  return [device, ...(host.byParent.get(device.name) ?? [])]
}
