import type { NvmeHost } from '../host/nvme-host.ts'
import { together } from '../together.ts'
import { readControllers } from './controllers.ts'
import type { NvmeController, NvmeNamespace } from './controllers.ts'
import type { NvmeAddress } from './address.ts'

/** A controller that is reached over a fabric. */
export interface FabricController extends NvmeController {
  readonly address: NvmeAddress
}

/** A volume as it is on this host. */
export interface AttachedNamespace {
  /** Its disks: one, or without native multipath one of each controller. None when it is not attached. */
  readonly namespaces: readonly NvmeNamespace[]
  /** All of this host's controllers of its subsystem, also those that do not lead to it. */
  readonly controllers: readonly FabricController[]
}

/** The controllers that this host has to a subsystem under its name, whoever connected them. */
export async function ownControllers(
  nqn: string,
  host: Promise<NvmeHost>,
  signal: AbortSignal,
): Promise<readonly FabricController[]> {
  const [controllers, { nqn: name }] = await together([readControllers(signal), host])
  return controllers.filter((each): each is FabricController => {
    // Before Linux 5.7 controllers do not say under which name they are connected.
    const own = each.hostNqn === null || each.hostNqn === name
    return own && each.address !== null && each.subsystemNqn === nqn && each.type !== 'discovery'
  })
}

/** Whether the controller leads to one of these disks. */
export function hasPathTo({ paths }: NvmeController, namespaces: readonly NvmeNamespace[]): boolean {
  return paths.some(({ namespace }) => namespaces.some(({ name }) => name === namespace.name))
}
