import { BrickError } from '../errors.ts'
import type { NvmeTarget } from '../properties/nvmeof.ts'
import { namespaceNames } from './admin.ts'
import type { NvmeController, NvmeNamespace } from './controllers.ts'

/** What a namespace is known by; the first that is there decides. */
export interface KnownNamespace extends Pick<NvmeTarget, 'uuid' | 'nguid' | 'eui64' | 'namespaceId'> {
  /** The kernel's name for it. */
  readonly wwid?: string | undefined
}

/** Whether anything is known that tells a namespace from others. */
export function isNamed({ wwid, uuid, nguid, eui64, namespaceId }: KnownNamespace): boolean {
  return [wwid, uuid, nguid, eui64, namespaceId].some((name) => name !== undefined)
}

/** Whether this is the namespace that is meant; without anything that it is known by, every one is. */
export function isNamespace(namespace: NvmeNamespace, known: KnownNamespace): boolean {
  return known.wwid === undefined ? hasNames(namespace, known) : namespace.wwid === known.wwid
}

/** The same by what a controller says. Backends write an NGUID where a UUID belongs, and the other way round. */
export function hasNames(
  said: Pick<NvmeNamespace, 'namespaceId' | 'uuid' | 'nguid' | 'eui64'>,
  { uuid, nguid, eui64, namespaceId }: KnownNamespace,
): boolean {
  const digits = uuid?.replaceAll('-', '') ?? nguid
  if (digits !== undefined) return said.uuid?.replaceAll('-', '') === digits || said.nguid === digits
  if (eui64 !== undefined) return said.eui64 === eui64
  return namespaceId === undefined || said.namespaceId === namespaceId
}

/**
 * The namespace among those that these controllers have, as the disks that it is on this host: one, or without native
 * multipath one of each controller. None when it is not there.
 *
 * @throws BrickError IDENTITY_MISMATCH when it may be any of several
 */
export function namespacesAmong(controllers: readonly NvmeController[], known: KnownNamespace): NvmeNamespace[] {
  const all = controllers.flatMap(({ paths }) => paths.map(({ namespace }) => namespace))
  const found = [...new Map(all.map((each) => [each.name, each])).values()].filter((each) => isNamespace(each, known))
  const numbers = new Set(found.map(({ namespaceId }) => namespaceId))
  if (numbers.size > 1) throw ambiguous([...numbers])
  return found
}

export function ambiguous(numbers: readonly number[]): BrickError {
  return new BrickError(
    'IDENTITY_MISMATCH',
    `the subsystem has namespaces ${numbers.join(', ')}, and nothing says which of them is the volume`,
    { details: { namespaces: numbers } },
  )
}

/**
 * Whether a controller says of the namespace now what the kernel noted of it; undefined when it shows no namespace of
 * that number any more.
 */
export async function isStillSame(
  controller: string,
  { namespaceId, uuid, nguid, eui64 }: NvmeNamespace,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const names = await namespaceNames(controller, namespaceId, signal)
  if (names === null) return undefined
  const pairs = [
    [uuid, names.uuid],
    [nguid, names.nguid],
    [eui64, names.eui64],
  ] as const
  // A controller need not say all of its names, and an old one says none: what is not said contradicts nothing.
  return pairs.every(([noted, said]) => noted === null || said === null || noted === said)
}
