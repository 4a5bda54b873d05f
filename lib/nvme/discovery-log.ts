import { BrickError } from '../errors.ts'
import { discoveryHeaderSize, discoveryRecordSize, parseDiscoveryHeader, parseDiscoveryRecords } from './log-pages.ts'
import type { DiscoveredSubsystem } from './log-pages.ts'

/** What every controller can transfer at once, however little it can. */
const chunk = 4096
/** More often no target changes what it has while it is asked. */
const mostAttempts = 10

/**
 * The whole discovery log, read in parts through `read`: from the beginning again when it has changed meanwhile (NVM
 * Express Base Specification 2.0, 5.16.1.23).
 *
 * @throws BrickError SYSTEM for a malformed log, or one that changes faster than it can be read
 */
export async function readDiscoveryLog(
  read: (offset: number, length: number) => Promise<Buffer>,
): Promise<DiscoveredSubsystem[]> {
  const readHeader = async () => parseDiscoveryHeader(await read(0, discoveryHeaderSize))
  let header = await readHeader()
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const found: DiscoveredSubsystem[] = []
    const end = discoveryHeaderSize + header.records * discoveryRecordSize
    for (let offset = discoveryHeaderSize; offset < end; offset += chunk) {
      found.push(...parseDiscoveryRecords(await read(offset, Math.min(chunk, end - offset))))
    }
    const after = await readHeader()
    if (after.generation === header.generation && after.records === header.records) return found
    header = after
  }
  throw new BrickError('SYSTEM', 'Get Log Page: the discovery log changes faster than it can be read')
}
