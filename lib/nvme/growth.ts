import { deviceFacts } from '../block/disk.ts'
import { BrickError } from '../errors.ts'
import type { Operation } from '../operation.ts'
import { together } from '../together.ts'
import { atLeast } from '../volume/growth.ts'
import { Watch } from '../wait.ts'
import { identifyNamespace } from './admin.ts'
import { hasPathTo } from './attached.ts'
import type { AttachedNamespace } from './attached.ts'
import type { NvmeNamespace } from './controllers.ts'
import { rescanController } from './fabrics.ts'

/**
 * Makes this host see the size that a namespace now has, and returns it in bytes. The controllers are asked for it: the
 * kernel may have heard of it already, may hear of it by itself, or has to be told to look.
 *
 * @throws BrickError DEVICE_NOT_FOUND, NOT_EXTENDED
 */
export async function growNamespace(
  { namespaces, controllers }: AttachedNamespace,
  expectedBytes: number | undefined,
  operation: Operation,
): Promise<number> {
  const [first] = namespaces
  if (first === undefined) throw new BrickError('DEVICE_NOT_FOUND', 'the volume is not attached to this host')
  const sizes = await together(
    namespaces.map(async (namespace) => {
      const leading = controllers.filter((each) => each.state === 'live' && hasPathTo(each, [namespace]))
      return await growOne(
        namespace,
        leading.map(({ name }) => name),
        operation,
      )
    }),
  )
  return atLeast(expectedBytes, first.path, Math.min(...sizes))
}

async function growOne(
  { path, name, namespaceId }: NvmeNamespace,
  controllers: readonly string[],
  operation: Operation,
): Promise<number> {
  const [first] = controllers
  if (first === undefined) {
    throw new BrickError('NOT_EXTENDED', `${path}: no controller that leads to it is live`, {
      details: { device: path },
      retryable: true,
    })
  }
  using watch = new Watch('kernel', [`/${name}`], (event) => event.property('RESIZE') === '1')
  const identity = await operation.step('identify', (signal) => identifyNamespace(first, namespaceId, signal))
  if (identity === null) {
    throw new BrickError('LUN_NOT_MAPPED', `${first} has no namespace ${namespaceId} any more`, {
      details: { controller: first, namespace: namespaceId },
    })
  }
  return await operation.step('rescan', async (signal) => {
    // It may have grown once more since the controller was asked.
    const grown = async (): Promise<number | undefined> => {
      const { size } = await deviceFacts(path, signal)
      return size >= Number(identity.bytes) ? size : undefined
    }
    const already = await grown()
    if (already !== undefined) return already
    await together(controllers.map((controller) => rescanController(controller, signal)))
    return await watch.until(grown, signal)
  })
}
