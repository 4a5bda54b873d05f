import { deviceFacts, flush, refuseInUse } from '../block/disk.ts'
import { growMirror } from '../cli/mdadm.ts'
import { BrickError } from '../errors.ts'
import { lock } from '../lock.ts'
import { asBrickError, Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import type { Replication } from '../properties/nvmeof.ts'
import { Rollback, withLeftovers } from '../rollback.ts'
import { together } from '../together.ts'
import { attempts } from '../volume/attempts.ts'
import { within } from '../volume/calls.ts'
import type { ConnectOptions, DisconnectOptions, ExtendOptions, VolumeCalls } from '../volume/calls.ts'
import { allFailed } from '../volume/ways.ts'
import type { RaidArray } from './array.ts'
import { arrayPath, fillsMembers, missingIn } from './array.ts'
import { assemble, ownArrays, stopArrays } from './assembly.ts'
import type { AssembledMirror } from './assembly.ts'

/** A volume that this host mirrors: its legs are volumes themselves, and an MD array (RAID1) makes one device of them. */
export class Mirror implements VolumeCalls {
  readonly #replication: Replication
  readonly #legs: readonly VolumeCalls[]

  constructor(replication: Replication, legs: readonly VolumeCalls[]) {
    this.#replication = replication
    this.#legs = legs
  }

  async connect(options: ConnectOptions): Promise<DeviceInfo> {
    using operation = new Operation('mirror.connectVolume', options)
    using _mirror = await this.#lock(operation)
    const rollback = new Rollback()
    try {
      const running = await this.#arrays(await this.#paths(operation), operation)
      const { attached, failures } = await this.#attachLegs(running, options, operation, rollback)
      const paths = attached.map(({ path }) => path)
      const mirror = await assemble(this.#replication, paths, operation)
      return await this.#describe(mirror, attached, failures, operation)
    } catch (error) {
      throw withLeftovers(asBrickError(error, 'attach'), await rollback.run(operation))
    }
  }

  async disconnect(_deviceInfo: unknown, options: DisconnectOptions): Promise<void> {
    const { force = false, ignoreErrors = false } = options
    using operation = new Operation('mirror.disconnectVolume', options)
    using _mirror = await this.#lock(operation)
    const { alias } = this.#replication
    const { attempt, failures } = attempts(force, operation)
    const paths = await this.#paths(operation)
    const arrays = await this.#arrays(paths, operation)
    for (const { path } of arrays.filter(({ active }) => active)) {
      await attempt('use', (signal) => refuseInUse(path, signal))
      await attempt('flush', (signal) => flush(path, signal))
    }
    await attempt('stop', (signal) => stopArrays(alias, paths, signal))
    // What was written to a mirror is on the legs that work: of the others nothing is expected any more.
    const isMirrored = arrays.length > 0 || this.#replication.replicas > 1
    await together(
      this.#legs.map((leg) => attempt('legs', () => detachLeg(leg, isMirrored, { ...options, ...within(operation) }))),
    )
    // One that waited for its legs ends when they have gone.
    if (failures.length > 0) await attempt('stop', (signal) => stopArrays(alias, paths, signal))
    if (failures.length > 0 && !ignoreErrors) throw allFailed(failures)
  }

  /** `expectedBytes` is what the legs should have; the mirror itself has a little less. */
  async extend(options: ExtendOptions): Promise<number> {
    using operation = new Operation('mirror.extendVolume', options)
    using _mirror = await this.#lock(operation)
    const paths = await this.#paths(operation)
    const array = (await this.#arrays(paths, operation)).find(({ active }) => active)
    const sizes = await operation.step('legs', () => this.#extendLegs(options, operation))
    if (array === undefined && this.#replication.replicas === 1) return Math.max(...sizes)
    if (array === undefined) throw new BrickError('DEVICE_NOT_FOUND', 'the mirror is not assembled on this host')
    await operation.step('grow', async (signal) => {
      // While what has been added before is still being copied, the kernel refuses to be asked again.
      if (!(await fillsMembers(array, signal))) await growMirror(array.path, signal)
    })
    return (await operation.step('size', (signal) => deviceFacts(array.path, signal))).size
  }

  async paths(options: CallOptions): Promise<string[]> {
    using operation = new Operation('mirror.getVolumePaths', options)
    return await this.#paths(operation)
  }

  /** All calls for one mirror meet here. */
  #lock(operation: Operation): Promise<Disposable> {
    return operation.step('lock', (signal) => lock(`volume md ${this.#replication.alias}`, signal))
  }

  async #paths(operation: Operation): Promise<string[]> {
    const paths = await operation.step('paths', () => together(this.#legs.map((leg) => leg.paths(within(operation)))))
    return paths.flat()
  }

  #arrays(paths: readonly string[], operation: Operation): Promise<RaidArray[]> {
    return operation.step('find', (signal) => ownArrays(this.#replication.alias, paths, signal))
  }

  /** All legs at once. One that does not come up is noted: the mirror is there for that. */
  async #attachLegs(
    running: readonly RaidArray[],
    options: ConnectOptions,
    operation: Operation,
    rollback: Rollback,
  ): Promise<{ attached: DeviceInfo[]; failures: BrickError[] }> {
    const attach = async (leg: VolumeCalls): Promise<DeviceInfo> => {
      const before = await leg.paths(within(operation))
      const info = await leg.connect({ ...options, ...within(operation) })
      if (before.length === 0) {
        rollback.add('leg', (signal) => leg.disconnect(info, { signal }))
      }
      return info
    }
    const outcomes = await operation.step('legs', () => Promise.allSettled(this.#legs.map(attach)))
    const attached = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    if (running.length === 0 && attached.length > 0) {
      const paths = attached.map(({ path }) => path)
      // Also one that udev makes, which it may have begun with the first leg. What is written on the legs stays there: the
      // next attach finds it.
      rollback.add('array', (signal) => stopArrays(this.#replication.alias, paths, signal))
    }
    operation.signal.throwIfAborted()
    const failures = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [asBrickError(outcome.reason, 'legs')] : [],
    )
    if (attached.length === 0) throw allFailed(failures)
    return { attached, failures }
  }

  /** A leg that is not attached is none of the mirror's now. */
  async #extendLegs(options: ExtendOptions, operation: Operation): Promise<number[]> {
    const outcomes = await Promise.allSettled(this.#legs.map((leg) => leg.extend({ ...options, ...within(operation) })))
    const sizes = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    const failures = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [asBrickError(outcome.reason, 'legs')] : [],
    )
    const fatal = sizes.length === 0 ? failures : failures.filter(({ code }) => code !== 'DEVICE_NOT_FOUND')
    if (fatal.length > 0) throw allFailed(fatal)
    return sizes
  }

  async #describe(
    mirror: AssembledMirror | undefined,
    legs: readonly DeviceInfo[],
    unattached: readonly BrickError[],
    operation: Operation,
  ): Promise<DeviceInfo> {
    const [first] = legs
    if (first === undefined) throw new RangeError('no leg')
    const failures = [
      ...legs.flatMap((leg) => leg.failures),
      ...unattached.map(({ code, message }) => ({ portal: null, code, message })),
      ...(mirror?.failures ?? []).map(({ error: { code, message } }) => ({ portal: null, code, message })),
    ]
    const common = {
      paths: legs.flatMap(({ paths }) => paths),
      expected_paths: legs.reduce((sum, leg) => sum + leg.expected_paths, unattached.length),
      failures,
    }
    const { timings } = operation.trace
    if (mirror === undefined) return { ...first, ...common, timings }
    const { array, uuid } = mirror
    const { size, major, minor, diskSequence } = await operation.step('size', (signal) =>
      deviceFacts(array.path, signal),
    )
    const missing = await operation.step('size', (signal) => missingIn(array, signal))
    return {
      type: 'block',
      path: arrayPath(this.#replication.alias),
      ...common,
      degraded: missing > 0 || legs.some(({ degraded }) => degraded) || failures.length > 0,
      identity: { source: 'md', value: uuid, devno: `${major}:${minor}`, diskseq: diskSequence },
      size,
      timings: operation.trace.timings,
    }
  }
}

async function detachLeg(leg: VolumeCalls, isMirrored: boolean, options: DisconnectOptions): Promise<void> {
  try {
    await leg.disconnect(undefined, options)
  } catch (error) {
    if (!isMirrored || !(error instanceof BrickError && error.code === 'FLUSH_FAILED')) throw error
    await leg.disconnect(undefined, { ...options, force: true, ignoreErrors: true })
  }
}
