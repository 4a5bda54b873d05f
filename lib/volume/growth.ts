import { deviceFacts } from '../block/disk.ts'
import { BrickError } from '../errors.ts'
import { askMultipathd } from '../multipath/daemon.ts'
import type { MultipathMap } from '../multipath/map.ts'
import { asBrickError } from '../operation.ts'
import type { Operation } from '../operation.ts'
import type { ScsiPath } from '../scsi/paths.ts'
import { together } from '../together.ts'
import type { AttachedVolume } from './release.ts'
import { grow } from './bring-up.ts'

/**
 * Makes this host see the size that a volume now has, on every path and then on the map above them, and returns it in
 * bytes. A map grows only when all its paths have: what is written behind the end of one is lost.
 *
 * @throws BrickError DEVICE_NOT_FOUND; NOT_EXTENDED naming what is smaller than `expectedBytes`, or the paths whose size
 * is not that of the others; IDENTITY_MISMATCH; MULTIPATH_FAILED
 */
export async function growVolume(
  { paths, maps }: AttachedVolume,
  expectedBytes: number | undefined,
  operation: Operation,
): Promise<number> {
  const outcomes = await together(paths.map((path) => growPath(path, operation)))
  const [first] = outcomes
  if (first === undefined) throw new BrickError('DEVICE_NOT_FOUND', 'the volume is not attached to this host')
  const largest = Math.max(...outcomes.map(({ size = 0 }) => size))
  if (first.error && largest === 0) throw first.error
  const lagging = outcomes.filter(({ size }) => size !== largest)
  if (lagging.length > 0) {
    const names = lagging.map(({ device }) => device).join(', ')
    throw new BrickError('NOT_EXTENDED', `${names}: not ${largest} bytes as the other paths`, {
      details: {
        size: largest,
        lagging: lagging.map(({ device, size, error }) => ({ device, size, error: error?.message })),
      },
    })
  }
  for (const map of maps) await operation.step('map', (signal) => growMap(map, largest, signal))
  return atLeast(expectedBytes, maps[0]?.path ?? first.device, largest)
}

/** The size of a device that has grown as far as the caller expects. @throws BrickError NOT_EXTENDED */
export function atLeast(expectedBytes: number | undefined, device: string, size: number): number {
  if (expectedBytes === undefined || size >= expectedBytes) return size
  throw new BrickError('NOT_EXTENDED', `${device} has ${size} bytes, not ${expectedBytes}`, {
    details: { device, size, expectedBytes },
  })
}

interface Outcome {
  readonly device: string
  readonly size?: number
  readonly error?: BrickError
}

/** A path that cannot be asked has not grown; one that leads elsewhere now ends it all. */
async function growPath(path: ScsiPath, operation: Operation): Promise<Outcome> {
  const device = path.disk.path
  try {
    return { device, size: await grow(path, operation) }
  } catch (error) {
    const failure = asBrickError(error, 'rescan')
    if (failure.code === 'IDENTITY_MISMATCH' || operation.signal.aborted) throw failure
    return { device, error: failure }
  }
}

async function growMap({ path, name }: MultipathMap, size: number, signal: AbortSignal): Promise<void> {
  if ((await deviceFacts(path, signal)).size === size) return
  const answer = await askMultipathd(`resize map ${name}`, signal)
  if (answer === undefined) {
    throw new BrickError('MULTIPATH_FAILED', `multipathd is not running, and has to resize ${path}`, {
      details: { device: path },
    })
  }
  const { size: grown } = await deviceFacts(path, signal)
  if (grown === size) return
  throw new BrickError('NOT_EXTENDED', `${path} has ${grown} bytes, and its paths ${size}`, {
    details: { device: path, size: grown, expectedBytes: size, answer },
  })
}
