import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { readFacts } from './facts.ts'
import type { Finding } from './finding.ts'
import { judge } from './judge.ts'

/**
 * What is left over on this host: paths that have failed and that no map is above, maps without a path that works, disks
 * that are another volume now, sessions without units, NVMe controllers that are reconnected for ever, suspended maps, and
 * links of disks that have gone. Each with the evidence and a safe plan; nothing is changed.
 *
 * Disks are asked what they are (INQUIRY), which those that do not answer hold up by 5 s.
 *
 * @throws BrickError ABORTED, TIMEOUT; PERMISSION_DENIED without root; SYSTEM
 */
export async function audit(options?: CallOptions): Promise<Finding[]> {
  using operation = new Operation('audit', options)
  return judge(await operation.step('look', readFacts))
}
