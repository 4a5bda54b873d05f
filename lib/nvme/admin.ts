import { binding, failedWith, finish } from '../binding.ts'
import { BrickError } from '../errors.ts'
import { parseActiveNamespaces, parseController, parseNamespace, parseNamespaceNames } from './identify.ts'
import type { ControllerIdentity, NamespaceIdentity, NamespaceNames } from './identify.ts'
import { anaLogSize, groupsOnly, logPages, parseAnaLog } from './log-pages.ts'
import type { AnaGroup, DiscoveredSubsystem } from './log-pages.ts'
import { readDiscoveryLog } from './discovery-log.ts'

// Questions to a controller that this host is connected to, by its name in the kernel, 'nvme0'.
// Every one throws SystemError: EIO with 'status SCT/SC' in `detail` when the controller refuses to answer.

/** Milliseconds after which the kernel resets a controller that does not answer: its own default (nvme_core.admin_timeout). */
const patience = 60_000

/** NVME_SC_INVALID_FIELD and NVME_SC_INVALID_NS of the kernel's include/linux/nvme.h, as `detail` has them. */
const invalidField = '0/02'
const invalidNamespace = '0/0b'

/** Whether the controller has answered so. */
function isRefused(error: unknown, status: string): boolean {
  return failedWith(error, 'EIO') && /^status (\S+?)(?:,|$)/.exec(error.detail ?? '')?.[1] === status
}

/**
 * Whether a question found no controller to answer it: it has been lost or has gone, or does not answer this question. A
 * question that was under way when it was lost fails with EINTR (nvme_cancel_request and __nvme_submit_sync_cmd).
 */
export function isUnanswered(error: unknown): boolean {
  return failedWith(error, 'EINTR', 'EIO', 'EAGAIN', 'ENXIO', 'ENODEV', 'ENOENT')
}

/** Identify's structures (CNS; figure 273 of the base specification 2.0). */
const structures = { namespace: 0x00, controller: 0x01, activeNamespaces: 0x02, namespaceNames: 0x03 } as const

export async function identifyController(name: string, signal: AbortSignal): Promise<ControllerIdentity> {
  return parseController(await identify(name, structures.controller, 0, signal))
}

/** Null when the controller has no such namespace. */
export async function identifyNamespace(
  name: string,
  namespaceId: number,
  signal: AbortSignal,
): Promise<NamespaceIdentity | null> {
  try {
    return parseNamespace(await identify(name, structures.namespace, namespaceId, signal))
  } catch (error) {
    if (isRefused(error, invalidNamespace)) return null
    throw error
  }
}

/** Null when the controller shows no such namespace to this host. */
export async function namespaceNames(
  name: string,
  namespaceId: number,
  signal: AbortSignal,
): Promise<NamespaceNames | null> {
  try {
    return parseNamespaceNames(await identify(name, structures.namespaceNames, namespaceId, signal))
  } catch (error) {
    if (isRefused(error, invalidNamespace)) return null
    // Before version 1.3 of the specification there is no such structure, and no other names than these two.
    if (!isRefused(error, invalidField)) throw error
    const namespace = await identifyNamespace(name, namespaceId, signal)
    return namespace && { eui64: namespace.eui64, nguid: namespace.nguid, uuid: null, commandSet: null }
  }
}

/** The numbers of the namespaces that the controller shows to this host. */
export async function activeNamespaces(name: string, signal: AbortSignal): Promise<number[]> {
  const all: number[] = []
  for (;;) {
    const answer = await identify(name, structures.activeNamespaces, all.at(-1) ?? 0, signal)
    const { namespaces, more } = parseActiveNamespaces(answer)
    if ((namespaces[0] ?? Infinity) <= (all.at(-1) ?? 0)) {
      throw new BrickError('SYSTEM', `Identify: ${name} lists namespaces that it has listed before`)
    }
    all.push(...namespaces)
    if (!more) return all
  }
}

/** How well the controller reaches each group of namespaces; a namespace's group is in its identity. */
export async function anaGroups(
  name: string,
  { anaGroups: groups }: ControllerIdentity,
  signal: AbortSignal,
): Promise<AnaGroup[]> {
  return parseAnaLog(await logPage(name, logPages.ana, groupsOnly, 0, anaLogSize(groups), signal))
}

/** What a discovery controller knows. */
export async function discoveryLog(name: string, signal: AbortSignal): Promise<DiscoveredSubsystem[]> {
  return await readDiscoveryLog((offset, length) => logPage(name, logPages.discovery, 0, offset, length, signal))
}

async function identify(name: string, cns: number, namespaceId: number, signal: AbortSignal): Promise<Buffer> {
  return await finish(binding().identifyNvme(name, `/dev/${name}`, cns, namespaceId, patience), signal)
}

async function logPage(
  name: string,
  identifier: number,
  specific: number,
  offset: number,
  length: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const page = { identifier, specific, offset, length }
  return await finish(binding().nvmeLogPage(name, `/dev/${name}`, page, patience), signal)
}
