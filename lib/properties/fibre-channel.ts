import { invalid } from '../errors.ts'
import { parseWwn } from '../fc/wwn.ts'
import { parseLun, toKernelLun } from '../scsi/lun.ts'
import type { AddressingMode, BackendLun, KernelLun } from '../scsi/lun.ts'
import { connectionData, isObject, isPresent, list, optionalBoolean, present } from './read.ts'
import type { Properties } from './read.ts'
import { volumeProperties } from './volume.ts'
import type { VolumeProperties } from './volume.ts'

/** One port of the backend, and the volume's LUN there. */
export interface FibreChannelTarget {
  /** 16 lower-case digits. */
  readonly portName: string
  /** With the addressing mode applied. */
  readonly lun: KernelLun
}

/** Connection properties of a Fibre Channel volume. */
export interface FibreChannelProperties extends VolumeProperties {
  /** At least one, in the backend's order, without duplicates. One port may have the volume under several LUNs. */
  readonly targets: readonly FibreChannelTarget[]
  /** Which of the backend's ports each port of this host is to use, by their names; absent when it may use all. */
  readonly initiators?: ReadonlyMap<string, readonly string[]>
  /** Whether the volume may be looked for behind ports that the properties do not name. */
  readonly wildcard: boolean
}

/**
 * Reads os-brick's Fibre Channel connection properties, nested or flat; unknown keys are ignored.
 *
 * @param kernelLun how the kernel counts the backend's LUN
 * @throws BrickError INVALID_ARGUMENT naming the key that is missing, malformed or contradictory
 */
export function parseFibreChannelProperties(
  value: unknown,
  kernelLun: (lun: BackendLun, mode: AddressingMode) => KernelLun = toKernelLun,
): FibreChannelProperties {
  const data = connectionData(value)
  const common = volumeProperties(data)
  const targets = pairs(data, portNames(data)).map(({ portName, lun }) => ({
    portName,
    lun: kernelLun(lun, common.addressingMode),
  }))
  return {
    ...common,
    targets: distinct(targets),
    wildcard: optionalBoolean(data, 'enable_wildcard_scan') ?? true,
    ...present({ initiators: initiators(data) }),
  }
}

/** The plural key wins, as in os-brick; the singular one may be a list, too. */
function portNames(data: Properties): string[] {
  const key = list(data, 'target_wwns').length > 0 ? 'target_wwns' : 'target_wwn'
  const given = data[key]
  const names: readonly unknown[] = Array.isArray(given) ? given : [given]
  if (names.length === 0) throw invalid(key, 'at least one world-wide name', given)
  return names.map((name, index) => parseWwn(name, Array.isArray(given) ? `${key}[${index}]` : key))
}

/** Each port with its LUN, or all with the one that there is. */
function pairs(data: Properties, ports: readonly string[]): { portName: string; lun: BackendLun }[] {
  const luns = backendLuns(data)
  if (luns.length === 1) return ports.flatMap((portName) => luns.map((lun) => ({ portName, lun })))
  if (luns.length !== ports.length) {
    throw invalid('target_luns', `one LUN, or ${ports.length}, one per port`, data['target_luns'])
  }
  return luns.flatMap((lun, index) => ports.slice(index, index + 1).map((portName) => ({ portName, lun })))
}

function backendLuns(data: Properties): BackendLun[] {
  const plural = list(data, 'target_luns')
  if (plural.length > 0) return plural.map((lun, index) => parseLun(lun, `target_luns[${index}]`))
  // Absent means 0, as in os-brick.
  return [parseLun(isPresent(data, 'target_lun') ? data['target_lun'] : 0, 'target_lun')]
}

/** Backends may name ports there that they do not name as targets; those are of no use. */
function initiators(data: Properties): ReadonlyMap<string, readonly string[]> | undefined {
  const key = 'initiator_target_map'
  if (!isPresent(data, key)) return undefined
  const given = data[key]
  if (!isObject(given)) throw invalid(key, 'an object of lists', given)
  return new Map(
    Object.entries(given).map(([initiator, targets]) => {
      const field = `${key}.${initiator}`
      if (!Array.isArray(targets)) throw invalid(field, 'a list of world-wide names', targets)
      return [parseWwn(initiator, field), targets.map((target) => parseWwn(target, field))] as const
    }),
  )
}

function distinct(targets: readonly FibreChannelTarget[]): FibreChannelTarget[] {
  const keyed = targets.map(({ portName, lun }) => `${portName} ${lun}`)
  return targets.filter((_, index) => keyed.indexOf(keyed[index] ?? '') === index)
}
