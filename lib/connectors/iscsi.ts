import { isReadable } from '../block/disk.ts'
import { BrickError } from '../errors.ts'
import { listDirectory } from '../files.ts'
import { formatPortal } from '../iscsi/portal.ts'
import { resolve } from '../iscsi/resolve.ts'
import { closeSessions, openSession } from '../iscsi/session-control.ts'
import { leadsTo, readSessions } from '../iscsi/sessions.ts'
import { lock } from '../lock.ts'
import { asBrickError, Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { readDeviceInfo } from '../properties/device-info.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import { parseIscsiProperties } from '../properties/iscsi.ts'
import type { IscsiProperties, IscsiTarget } from '../properties/iscsi.ts'
import { Rollback } from '../rollback.ts'
import { findDisk } from '../scsi/unit.ts'
import type { Disk, UnitAddress } from '../scsi/unit.ts'
import { bringUp, grow, takeDown } from '../scsi/volume.ts'
import type { ConnectOptions, DisconnectOptions, ExtendOptions, InitiatorConnector } from './initiator-connector.ts'

const searchPath = '/dev/disk/by-path'

/** One way by which the volume is on this host now. */
interface Path {
  readonly target: IscsiTarget
  readonly unit: UnitAddress
  readonly disk: Disk
}

/** Volumes behind iSCSI targets, over one path each. Of several targets the first that works is used. */
export class ISCSIConnector implements InitiatorConnector {
  async connectVolume(properties: unknown, options: ConnectOptions = {}): Promise<DeviceInfo> {
    const volume = parseIscsiProperties(properties)
    using operation = new Operation('iscsi.connectVolume', options)
    using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume), signal))
    const targets = await resolvedTargets(volume, operation)
    const failures: BrickError[] = []
    for (const [tried, target] of targets.entries()) {
      try {
        using _target = await operation.step('lock', (signal) => lock(targetKey(target), signal))
        // A portal that does not answer leaves the others their share of the time.
        const patience = operation.share(1 / (targets.length - tried))
        return await attach(volume, target, patience, operation)
      } catch (error) {
        const failure = asBrickError(error, 'attach')
        if (operation.signal.aborted) throw failure
        failures.push(failure)
      }
    }
    throw allFailed(failures)
  }

  async disconnectVolume(properties: unknown, deviceInfo?: unknown, options: DisconnectOptions = {}): Promise<void> {
    const volume = parseIscsiProperties(properties)
    const expected = readDeviceInfo(deviceInfo).wwn ?? volume.wwn
    const { force = false, ignoreErrors = false } = options
    using operation = new Operation('iscsi.disconnectVolume', options)
    using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume), signal))
    const targets = await resolvedTargets(volume, operation)
    const failures: BrickError[] = []
    for (const { unit, disk } of await operation.step('find', (signal) => findPaths(targets, signal))) {
      failures.push(...(await takeDown(unit, disk, expected, force, operation)))
    }
    for (const target of targets) {
      using _target = await operation.step('lock', (signal) => lock(targetKey(target), signal))
      await closeSessions(target, operation)
    }
    if (failures.length > 0 && !ignoreErrors) throw allFailed(failures)
  }

  async extendVolume(properties: unknown, options: ExtendOptions = {}): Promise<number> {
    const volume = parseIscsiProperties(properties)
    const { expectedBytes } = options
    using operation = new Operation('iscsi.extendVolume', options)
    using _volume = await operation.step('lock', (signal) => lock(volumeKey(volume), signal))
    const targets = await resolvedTargets(volume, operation)
    const [path] = await operation.step('find', (signal) => findPaths(targets, signal))
    if (path === undefined) throw new BrickError('DEVICE_NOT_FOUND', 'the volume is not attached to this host')
    const { unit, disk } = path
    const size = await grow(unit, disk, volume.wwn, operation)
    if (expectedBytes === undefined || size >= expectedBytes) return size
    throw new BrickError('NOT_EXTENDED', `${disk.path} has ${size} bytes, not ${expectedBytes}`, {
      details: { device: disk.path, size, expectedBytes },
    })
  }

  async getVolumePaths(properties: unknown, options: CallOptions = {}): Promise<string[]> {
    const volume = parseIscsiProperties(properties)
    using operation = new Operation('iscsi.getVolumePaths', options)
    const targets = await resolvedTargets(volume, operation)
    const paths = await operation.step('find', (signal) => findPaths(targets, signal))
    return paths.map(({ disk }) => disk.path)
  }

  /** Every link in the folder where udev names devices by their place, whatever they are: so does os-brick. */
  async getAllAvailableVolumes(_properties?: unknown, options: CallOptions = {}): Promise<string[]> {
    using operation = new Operation('iscsi.getAllAvailableVolumes', options)
    return await operation.step('list', async (signal) => {
      const names = (await listDirectory(searchPath, signal)) ?? []
      return names.map((name) => `${searchPath}/${name}`)
    })
  }

  getSearchPath(): string {
    return searchPath
  }

  /** Whether the device answers a read that no cache can serve. */
  async checkValidDevice(path: string, options: CallOptions = {}): Promise<boolean> {
    using operation = new Operation('iscsi.checkValidDevice', options)
    return await operation.step('read', (signal) => isReadable(path, signal))
  }
}

async function attach(
  volume: IscsiProperties,
  target: IscsiTarget,
  patience: AbortSignal,
  operation: Operation,
): Promise<DeviceInfo> {
  const rollback = new Rollback()
  try {
    const session = await openSession(target, volume.credentials, patience, operation, rollback)
    const unit = unitOf(session.host, target)
    const { disk, facts, wwn } = await bringUp(unit, volume.wwn, operation, rollback)
    return {
      type: 'block',
      path: disk.path,
      scsi_wwn: wwn,
      paths: [{ path: disk.path, hctl: unit.hctl, portal: formatPortal(target.portal) }],
      expected_paths: 1,
      degraded: false,
      identity: { source: 'vpd', value: wwn, devno: `${facts.major}:${facts.minor}`, diskseq: facts.diskSequence },
      size: facts.size,
      timings: operation.trace.timings,
    }
  } catch (error) {
    throw withLeftovers(asBrickError(error, 'attach'), await rollback.run(operation))
  }
}

/** iscsi_tcp makes one SCSI host per session, with the target as channel 0, id 0. */
function unitOf(host: number, { lun }: IscsiTarget): UnitAddress {
  return { hctl: `${host}:0:0:${lun}`, host }
}

/** Every disk of the volume on this host, whoever attached it. */
async function findPaths(targets: readonly IscsiTarget[], signal: AbortSignal): Promise<Path[]> {
  const sessions = await readSessions(signal)
  const paths: Path[] = []
  for (const target of targets) {
    for (const session of sessions.filter((candidate) => leadsTo(candidate, target))) {
      const unit = session.units.find(({ lun }) => lun === target.lun)
      const disk = unit && (await findDisk(unit, signal))
      if (disk) paths.push({ target, unit, disk })
    }
  }
  return paths
}

/** The volume's targets, with addresses for host names: sessions are known by address. */
async function resolvedTargets({ targets }: IscsiProperties, operation: Operation): Promise<IscsiTarget[]> {
  if (targets.every(({ portal }) => portal.family !== 'name')) return [...targets]
  return operation.step('resolve', async (signal) => {
    const resolved = targets.map(async (target) => {
      const portals = await resolve(target.portal, signal)
      return portals.map((portal) => ({ ...target, portal }))
    })
    return (await Promise.all(resolved)).flat()
  })
}

/** All calls for one volume meet here, whichever of its targets they name first. */
function volumeKey({ targets }: IscsiProperties): string {
  const units = targets.map(({ iqn, lun }) => `${iqn.toLowerCase()} ${lun}`).sort()
  return `volume iscsi ${units[0] ?? ''}`
}

/** Held from before a login until a unit of ours is in the session, and while an empty session is closed. */
function targetKey({ portal, iqn }: IscsiTarget): string {
  return `target iscsi ${iqn.toLowerCase()} ${formatPortal(portal)}`
}

/** The first failure, with all of them as evidence. */
function allFailed(failures: readonly BrickError[]): BrickError {
  const [first, ...others] = failures
  if (first === undefined) return new BrickError('PORTAL_UNREACHABLE', 'the portals have no address')
  if (others.length === 0) return first
  const { code, message, step, retryable, details } = first
  const all = failures.map((failure) => ({ code: failure.code, step: failure.step, message: failure.message }))
  return new BrickError(code, message, { step, retryable, details: { ...details, failures: all }, cause: first })
}

/** A failure that could not be undone whole says what may be left. */
function withLeftovers(failure: BrickError, leftovers: readonly { step: string; error: unknown }[]): BrickError {
  if (leftovers.length === 0) return failure
  const { code, message, step, retryable, details, cause } = failure
  const undone = leftovers.map((leftover) => ({ step: leftover.step, error: String(leftover.error) }))
  return new BrickError(code, message, { step, retryable, details: { ...details, undone }, cause })
}
