import { invalid } from '../errors.ts'
import { formatAddress, nvmeAddress, nvmeTransport } from '../nvme/address.ts'
import type { NvmeAddress } from '../nvme/address.ts'
import { euiText, nguidText, nvmeName, uuidText } from '../nvme/names.ts'
import {
  connectionData,
  isObject,
  isPresent,
  list,
  optionalBoolean,
  optionalInteger,
  optionalString,
  present,
  requiredSecret,
  requiredString,
} from './read.ts'
import type { Properties } from './read.ts'
import type { Secret } from './secret.ts'

/** One namespace and the ways to it. */
export interface NvmeTarget {
  readonly nqn: string
  /** At least one, in the backend's order of preference, without duplicates. */
  readonly addresses: readonly NvmeAddress[]
  /** What the namespace is known by, as far as the backend says; the first that is there decides. */
  readonly uuid?: string
  /** 32 hexadecimal digits. */
  readonly nguid?: string
  /** 16 hexadecimal digits. */
  readonly eui64?: string
  readonly namespaceId?: number
}

/** Settings of a connect, by the kernel's names for them; see `FabricsOptions`. */
export interface NvmeSettings {
  readonly nr_io_queues?: number
  readonly nr_write_queues?: number
  readonly nr_poll_queues?: number
  readonly queue_size?: number
  readonly ctrl_loss_tmo?: number
  readonly reconnect_delay?: number
  readonly fast_io_fail_tmo?: number
  readonly keep_alive_tmo?: number
  readonly tos?: number
  readonly disable_sqflow?: true
  readonly hdr_digest?: true
  readonly data_digest?: true
  readonly tls?: true
  readonly keyring?: number
  readonly tls_key?: number
  readonly dhchap_secret?: Secret
  readonly dhchap_ctrl_secret?: Secret
}

/**
 * How this host connects, by the kernel's names (nvme-connect(1)): what the properties may say, too. A setting that a
 * transport does not have is an error there.
 */
export interface NvmeConnectSettings {
  /** The address, or Fibre Channel port, of this host to connect from; Fibre Channel needs it. */
  readonly host_traddr?: string | undefined
  /** The network interface of this host to connect through; only TCP. */
  readonly host_iface?: string | undefined
  /** Queues for I/O, each over TCP a connection. The kernel takes one for each processor at most, and that by default. */
  readonly nr_io_queues?: number | undefined
  /** Queues for writes only, and for polled I/O, besides. */
  readonly nr_write_queues?: number | undefined
  readonly nr_poll_queues?: number | undefined
  /** Commands in one queue: 16 to 1024. */
  readonly queue_size?: number | undefined
  /** Seconds for which a lost controller is connected anew; -1, hostbrick's default, is for ever. */
  readonly ctrl_loss_tmo?: number | undefined
  /** Seconds between two tries of that. */
  readonly reconnect_delay?: number | undefined
  /** Seconds after which I/O to a lost controller fails; -1 is never. */
  readonly fast_io_fail_tmo?: number | undefined
  /** Seconds after which a silent controller is lost; 0 is never. */
  readonly keep_alive_tmo?: number | undefined
  /** Type of service of its packets: 0 to 255. */
  readonly tos?: number | undefined
  readonly disable_sqflow?: boolean | undefined
  /** Checksums over headers and data; only TCP. */
  readonly hdr_digest?: boolean | undefined
  readonly data_digest?: boolean | undefined
  /** TLS 1.3 with a pre-shared key from the kernel's keyring, through tlshd; only TCP. */
  readonly tls?: boolean | undefined
  /** The serial numbers of the keyring to look in, and of the key itself. */
  readonly keyring?: number | undefined
  readonly tls_key?: number | undefined
  /** What this host proves itself with, and what the controller has to: 'DHHC-1:00:…:' (nvme-gen-dhchap-key(1)). */
  readonly dhchap_secret?: string | undefined
  readonly dhchap_ctrl_secret?: string | undefined
}

/** A volume that is mirrored by this host. */
export interface Replication {
  /** Its name below /dev/md. */
  readonly alias: string
  /** How many legs it has when all are there. */
  readonly replicas: number
}

/** Connection properties of an NVMe over Fabrics volume. Safe to log: passwords are `Secret`s. */
export interface NvmeofProperties {
  /** One; of a replicated volume its legs, at least one. */
  readonly targets: readonly NvmeTarget[]
  readonly replication?: Replication
  readonly hostNqn?: string
  readonly hostId?: string
  readonly settings: NvmeSettings
  readonly encrypted: boolean
  readonly enforceMultipath?: boolean
  readonly accessMode: 'rw' | 'ro'
  readonly devicePath?: string
  readonly volumeId?: string
}

/**
 * Reads os-brick's NVMe connection properties, nested or flat: the old form with one portal, the new one with several,
 * and replicated volumes, of which each leg has the new form. Unknown keys are ignored.
 *
 * @param defaults for settings that they do not name
 * @throws BrickError INVALID_ARGUMENT naming the key that is missing, malformed or contradictory
 */
export function parseNvmeofProperties(value: unknown, defaults: NvmeConnectSettings = {}): NvmeofProperties {
  const given = connectionData(value)
  const data = { ...defaults, ...Object.fromEntries(Object.entries(given).filter(([key]) => isPresent(given, key))) }
  const replicated = isPresent(data, 'volume_replicas')
  const accessMode = optionalString(data, 'access_mode') ?? 'rw'
  if (accessMode !== 'rw' && accessMode !== 'ro') throw invalid('access_mode', 'rw or ro', accessMode)
  return {
    targets: replicated ? legs(data) : [isPresent(data, 'target_nqn') ? target(data, data, '') : oldTarget(data)],
    settings: settings(data),
    encrypted: optionalBoolean(data, 'encrypted') ?? false,
    accessMode,
    ...present({
      replication: replicated ? replication(data) : undefined,
      hostNqn: optional(data, 'host_nqn', nvmeName),
      hostId: optional(data, 'host_id', uuidText),
      enforceMultipath: optionalBoolean(data, 'enforce_multipath'),
      devicePath: optionalString(data, 'device_path'),
      volumeId: optionalString(data, 'volume_id'),
    }),
  }
}

/** `nqn`, `target_portal`, `target_port` and `transport_type`. */
function oldTarget(data: Properties): NvmeTarget {
  const nqn = nvmeName(requiredString(data, 'nqn'), 'nqn')
  const transport = nvmeTransport(data['transport_type'], 'transport_type')
  const where = { traddr: data['target_portal'], trsvcid: data['target_port'], ...from(data) }
  return { nqn, addresses: [nvmeAddress(transport, where, 'target_portal')], ...names(data, '') }
}

/** `target_nqn` and `portals`; what is the same for all legs of a replicated volume is in `common`. */
function target(data: Properties, common: Properties, prefix: string): NvmeTarget {
  const nqn = nvmeName(data['target_nqn'], `${prefix}target_nqn`)
  if (!isPresent(data, 'portals')) throw invalid(`${prefix}portals`, 'a list of portals', data['portals'])
  const addresses = list(data, 'portals').map((portal, index) => address(portal, common, `${prefix}portals[${index}]`))
  if (addresses.length === 0) throw invalid(`${prefix}portals`, 'at least one portal', data['portals'])
  const keys = addresses.map((each) => formatAddress(each))
  return {
    nqn,
    addresses: addresses.filter((_, index) => keys.indexOf(keys[index] ?? '') === index),
    ...names(data, prefix),
  }
}

/** `[address, port, transport]`. */
function address(portal: unknown, common: Properties, field: string): NvmeAddress {
  if (!Array.isArray(portal) || portal.length !== 3) throw invalid(field, 'address, port and transport', portal)
  const [traddr, trsvcid, transport] = portal as readonly unknown[]
  return nvmeAddress(nvmeTransport(transport, `${field}: transport`), { traddr, trsvcid, ...from(common) }, field)
}

/** Where on this host the way begins. */
function from(data: Properties): { hostTraddr: unknown; hostIface: unknown } {
  return { hostTraddr: data['host_traddr'], hostIface: data['host_iface'] }
}

function names(data: Properties, prefix: string): Pick<NvmeTarget, 'uuid' | 'nguid' | 'eui64' | 'namespaceId'> {
  return present({
    uuid: optional(data, 'vol_uuid', uuidText, prefix),
    nguid: optional(data, 'volume_nguid', nguidText, prefix),
    eui64: optional(data, 'volume_eui64', euiText, prefix),
    namespaceId: optional(data, 'ns_id', namespaceNumber, prefix),
  })
}

/** NVM Express Base Specification 2.0, 3.2.1.1: 0 is none, and the last is all. */
function namespaceNumber(value: unknown, field: string): number {
  const number = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 1 || number > 0xffff_fffe) {
    throw invalid(field, 'the number of a namespace', value)
  }
  return number
}

function legs(data: Properties): NvmeTarget[] {
  const replicas = list(data, 'volume_replicas')
  if (replicas.length === 0) throw invalid('volume_replicas', 'at least one replica', replicas)
  return replicas.map((replica, index) => {
    const field = `volume_replicas[${index}]`
    if (!isObject(replica)) throw invalid(field, 'an object', replica)
    return target(replica, data, `${field}.`)
  })
}

function replication(data: Properties): Replication {
  const alias = requiredString(data, 'alias')
  // It becomes a file name and an argument of mdadm, which takes no longer one, and what is before a colon for a host's.
  if (!/^[A-Za-z\d_][\w.-]{0,31}$/.test(alias)) throw invalid('alias', 'a name of an MD array', alias)
  const replicas = optionalInteger(data, 'replica_count') ?? list(data, 'volume_replicas').length
  if (replicas === 0) throw invalid('replica_count', 'a number from 1', replicas)
  return { alias, replicas }
}

/** Settings as they are given besides the properties. @throws BrickError INVALID_ARGUMENT */
export function parseNvmeSettings(value: unknown): NvmeSettings {
  // The value is not shown: there are secrets in it.
  if (!isObject(value)) throw invalid('settings', 'an object', typeof value)
  return settings(value)
}

function settings(data: Properties): NvmeSettings {
  return present({
    nr_io_queues: optionalInteger(data, 'nr_io_queues', 1),
    nr_write_queues: optionalInteger(data, 'nr_write_queues', 1),
    nr_poll_queues: optionalInteger(data, 'nr_poll_queues', 1),
    queue_size: optionalInteger(data, 'queue_size', 16, 1024),
    ctrl_loss_tmo: optionalInteger(data, 'ctrl_loss_tmo', -1),
    reconnect_delay: optionalInteger(data, 'reconnect_delay', 1),
    fast_io_fail_tmo: optionalInteger(data, 'fast_io_fail_tmo', -1),
    keep_alive_tmo: optionalInteger(data, 'keep_alive_tmo'),
    tos: optionalInteger(data, 'tos', 0, 255),
    disable_sqflow: flag(data, 'disable_sqflow'),
    hdr_digest: flag(data, 'hdr_digest'),
    data_digest: flag(data, 'data_digest'),
    tls: flag(data, 'tls'),
    keyring: optionalInteger(data, 'keyring', 1),
    tls_key: optionalInteger(data, 'tls_key', 1),
    dhchap_secret: optionalDhchap(data, 'dhchap_secret'),
    dhchap_ctrl_secret: optionalDhchap(data, 'dhchap_ctrl_secret'),
  })
}

/** For the kernel an option is there or it is not. */
function flag(data: Properties, key: string): true | undefined {
  return optionalBoolean(data, key) === true ? true : undefined
}

/** NVM Express Base Specification 2.0, 8.13.5.8: how a secret for DH-HMAC-CHAP is written. */
function optionalDhchap(data: Properties, key: string): Secret | undefined {
  if (!isPresent(data, key)) return undefined
  const secret = requiredSecret(data, key)
  if (!/^DHHC-1:0[0-3]:[A-Za-z\d+/]+={0,2}:$/.test(secret.reveal())) {
    throw invalid(key, 'a secret as in DHHC-1:00:…:', secret)
  }
  return secret
}

function optional<T>(
  data: Properties,
  key: string,
  read: (value: unknown, field: string) => T,
  prefix = '',
): T | undefined {
  return isPresent(data, key) ? read(data[key], `${prefix}${key}`) : undefined
}
