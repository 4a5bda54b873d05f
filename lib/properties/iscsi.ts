import { invalid } from '../errors.ts'
import { formatPortal, parsePortal } from '../iscsi/portal.ts'
import type { TargetPortal } from '../iscsi/portal.ts'
import { parseLun, toKernelLun } from '../scsi/lun.ts'
import {
  connectionData,
  isPresent,
  list,
  optionalString,
  present,
  requiredSecret,
  requiredString,
  stringList,
} from './read.ts'
import type { AddressingMode, KernelLun } from '../scsi/lun.ts'
import type { Properties } from './read.ts'
import type { Secret } from './secret.ts'
import { volumeProperties } from './volume.ts'
import type { VolumeProperties } from './volume.ts'

/** One way to the volume. */
export interface IscsiTarget extends TargetPortal {
  /** As given, for records and logins; compare with `sameTargetName`. */
  readonly iqn: string
  /** With the addressing mode applied. */
  readonly lun: KernelLun
  /** Whether the properties do not name the target, so that its unit may be another volume. */
  readonly guessed?: boolean
}

/** CHAP: what the initiator proves to the target, and with `usernameIn` what the target proves to the initiator. */
export interface ChapCredentials {
  readonly method: 'CHAP'
  readonly username: string
  readonly password: Secret
  readonly usernameIn?: string
  readonly passwordIn?: Secret
}

/** Connection properties of an iSCSI or iSER volume. Safe to log: passwords are `Secret`s. */
export interface IscsiProperties extends VolumeProperties {
  /** At least one, in the backend's order of preference, without duplicates. */
  readonly targets: readonly IscsiTarget[]
  /** Whether the backend named one target only, so that others have to be discovered for multipath. */
  readonly discovery: boolean
  readonly credentials?: ChapCredentials
  readonly discoveryCredentials?: ChapCredentials
}

/**
 * Reads os-brick's iSCSI connection properties, nested or flat; unknown keys are ignored.
 *
 * @throws BrickError INVALID_ARGUMENT naming the key that is missing, malformed or contradictory
 */
export function parseIscsiProperties(value: unknown): IscsiProperties {
  const data = connectionData(value)
  const common = volumeProperties(data)
  const plural = isPlural(data)
  return {
    ...common,
    targets: distinct(
      plural ? pluralTargets(data, common.addressingMode) : [singularTarget(data, common.addressingMode)],
    ),
    discovery: !plural,
    ...present({
      credentials: chap(data, ''),
      discoveryCredentials: chap(data, 'discovery_'),
    }),
  }
}

/** iSCSI names are lower-cased before they are compared (RFC 3722); everything else in them counts. */
export function sameTargetName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

/** Plural keys win, whatever the singular ones say, but only as a pair: so does os-brick. */
function isPlural(data: Properties): boolean {
  return list(data, 'target_portals').length > 0 && list(data, 'target_iqns').length > 0
}

function pluralTargets(data: Properties, mode: AddressingMode): IscsiTarget[] {
  const portals = stringList(data, 'target_portals')
  const iqns = stringList(data, 'target_iqns')
  if (iqns.length !== portals.length) throw invalid('target_iqns', `${portals.length} names, one per portal`, iqns)
  const luns = isPresent(data, 'target_luns') ? list(data, 'target_luns') : portals.map(() => data['target_lun'])
  if (luns.length !== portals.length) throw invalid('target_luns', `${portals.length} LUNs, one per portal`, luns)
  return portals.map((portal, index) => ({
    portal: parsePortal(portal, `target_portals[${index}]`),
    iqn: iscsiName(iqns[index], `target_iqns[${index}]`),
    lun: toKernelLun(parseLun(luns[index], `target_luns[${index}]`), mode),
  }))
}

function singularTarget(data: Properties, mode: AddressingMode): IscsiTarget {
  return {
    portal: parsePortal(requiredString(data, 'target_portal'), 'target_portal'),
    iqn: iscsiName(requiredString(data, 'target_iqn'), 'target_iqn'),
    // Absent means 0, as in os-brick.
    lun: toKernelLun(parseLun(data['target_lun'] ?? 0, 'target_lun'), mode),
  }
}

function distinct(targets: readonly IscsiTarget[]): IscsiTarget[] {
  const keyed = targets.map(({ portal, iqn, lun }) => `${formatPortal(portal)} ${iqn.toLowerCase()} ${lun}`)
  return targets.filter((_, index) => keyed.indexOf(keyed[index] ?? '') === index)
}

/** RFC 7143 4.2.7. A slash would leave the directory of a node record, a comma end its name; neither is ever in one. */
const iscsiNames = [
  /^iqn\.\d{4}-(?:0[1-9]|1[0-2])\.[^\s\p{C}/,]+$/iu,
  /^eui\.[\da-f]{16}$/i,
  /^naa\.(?:[\da-f]{16}|[\da-f]{32})$/i,
]

/** RFC 7143 4.2.7, in bytes of UTF-8. */
const longestIscsiName = 223

/** The name of a target or an initiator, unchanged. @throws BrickError INVALID_ARGUMENT */
export function iscsiName(name: unknown, field: string): string {
  const valid = typeof name === 'string' && iscsiNames.some((form) => form.test(name))
  if (!valid || Buffer.byteLength(name) > longestIscsiName) {
    throw invalid(field, 'an iSCSI name as in iqn.2010-10.org.openstack:volume-1', name)
  }
  return name
}

/** The method decides, as in os-brick: without one, a username and a password alone are not used. */
function chap(data: Properties, prefix: '' | 'discovery_'): ChapCredentials | undefined {
  const method = optionalString(data, `${prefix}auth_method`)?.toUpperCase() ?? 'NONE'
  if (method === 'NONE') return undefined
  if (method !== 'CHAP') throw invalid(`${prefix}auth_method`, 'CHAP or None', method)
  const [usernameIn, passwordIn] = [`${prefix}auth_username_in`, `${prefix}auth_password_in`]
  const mutual = isPresent(data, usernameIn) || isPresent(data, passwordIn)
  return {
    method,
    username: requiredString(data, `${prefix}auth_username`),
    password: requiredSecret(data, `${prefix}auth_password`),
    ...(mutual && {
      usernameIn: requiredString(data, usernameIn),
      passwordIn: requiredSecret(data, passwordIn),
    }),
  }
}
