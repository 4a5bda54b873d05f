import type { Operation } from '../operation.ts'
import { together } from '../together.ts'
import type { AttachedNamespace, FabricController } from './attached.ts'
import { hasOthers, isOthers, lockPlaces, placeKey } from './controller.ts'
import { readControllers } from './controllers.ts'
import type { NvmeController } from './controllers.ts'
import { deleteController } from './fabrics.ts'

/**
 * Leaves the controllers that have no other namespace than a volume. What there is to find out about them is found out while
 * the volume is still being flushed; from then on until this is disposed, nobody attaches anything through them.
 */
export class Departure implements Disposable {
  readonly #found: AttachedNamespace
  #places: Disposable | undefined
  #idle: readonly FabricController[] = []

  constructor(found: AttachedNamespace) {
    this.#found = found
  }

  async prepare(operation: Operation): Promise<void> {
    const { controllers, namespaces } = this.#found
    const candidates = controllers.filter(
      ({ paths }) => !paths.some(({ namespace }) => isOthers(namespace, namespaces)),
    )
    this.#places = await operation.step('lock', (signal) => lockPlaces(candidates, signal))
    const others = await together(
      candidates.map((each) => operation.step('others', (signal) => hasOthers(each, namespaces, signal))),
    )
    this.#idle = candidates.filter((_, index) => !others[index])
  }

  async complete(operation: Operation): Promise<void> {
    await together(this.#idle.map((each) => operation.step('disconnect', (signal) => this.#leave(each, signal))))
  }

  /** One that was lost meanwhile, and connected anew by the kernel, is looked at anew. */
  async #leave(controller: FabricController, signal: AbortSignal): Promise<void> {
    if (await deleteController(controller, signal)) return
    const again = (await readControllers(signal)).find((each) => isAtPlaceOf(each, controller))
    if (again && !(await hasOthers(again, this.#found.namespaces, signal))) await this.#leave(again, signal)
  }

  [Symbol.dispose](): void {
    this.#places?.[Symbol.dispose]()
  }
}

/** Of the same name and at the same place, which nobody else has meanwhile. */
function isAtPlaceOf(each: NvmeController, controller: FabricController): each is FabricController {
  const { name, subsystemNqn, address } = each
  return name === controller.name && address !== null && placeKey({ subsystemNqn, address }) === placeKey(controller)
}
