import type { WalkEntry } from './walk.ts'

/** One NVMe controller of this host. */
export interface NvmeControllerState {
  /** 'nvme1' */
  readonly name: string
  /** Where it sits below /sys/devices. */
  readonly sysfs: string
  /** 'tcp', 'rdma', 'fc', 'loop', 'pcie' and so on. */
  readonly transport: string
  /** Its subsystem's. */
  readonly nqn: string
  /** 'new', 'live', 'resetting', 'connecting', 'deleting', 'deleting (no IO)' or 'dead'. */
  readonly state: string
}

/** One NVMe controller of this host, and the namespaces that the kernel has found through it. */
export interface NvmeControllerPlace extends NvmeControllerState {
  /** In the order of their names. */
  readonly paths: readonly NamespacePath[]
}

/** One controller's way to one namespace. */
export interface NamespacePath {
  /** 'nvme0c1n1', which has no node; without native multipath the namespace's own name. */
  readonly name: string
  /** The name of the namespace's disk: 'nvme0n1'. */
  readonly device: string
  /**
   * 'optimized', 'non-optimized', 'inaccessible', 'persistent-loss' or 'change'; null where the controller makes no
   * difference, and without native multipath.
   */
  readonly anaState: string | null
}

/** What a walk asks of controllers. Not `address`, for which one that is being reconnected may let one wait. */
export const controllerAttributes = ['state', 'transport', 'subsysnqn'].map((name) => ({ name }))

/** @param places where NVMe namespaces and the paths to them are, among other devices' places */
export function controllersAmong(
  controllers: readonly WalkEntry[],
  places: readonly WalkEntry[],
): NvmeControllerPlace[] {
  return controllers.map((controller) => ({
    ...toControllerState(controller),
    paths: places
      .filter(({ path }) => path.slice(0, path.lastIndexOf('/')) === controller.path)
      .map((place) => ({ name: place.name, device: diskOf(place.name), anaState: place.text('ana_state') }))
      .sort((one, other) => (one.name < other.name ? -1 : 1)),
  }))
}

export function toControllerState(entry: WalkEntry): NvmeControllerState {
  return {
    name: entry.name,
    sysfs: entry.path,
    transport: entry.text('transport') ?? '',
    nqn: entry.text('subsysnqn') ?? '',
    state: entry.text('state') ?? '',
  }
}

/** 'nvme0n1' for the path 'nvme0c1n1', and for itself. */
export function diskOf(name: string): string {
  return name.replace(/^(nvme\d+)c\d+(n\d+)$/, '$1$2')
}
