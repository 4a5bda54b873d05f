import { binding, failedWith, finish } from '../binding.ts'
import type { DeviceFacts } from '../binding.ts'
import { BrickError } from '../errors.ts'

/** Calls that wait for one block device share a lane. */
export function deviceLane(path: string): string {
  return `block:${path}`
}

/** Size, number and sequence of the device behind a node. */
export function deviceFacts(path: string, signal: AbortSignal): Promise<DeviceFacts> {
  return finish(binding().deviceFacts(deviceLane(path), path), signal)
}

/** The same; undefined while the node is not there or cannot be opened yet: it comes before its announcement. */
export async function factsWhenOpen(path: string, signal: AbortSignal): Promise<DeviceFacts | undefined> {
  try {
    return await deviceFacts(path, signal)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENXIO')) return undefined
    throw error
  }
}

/** Whether a mount, another device or a program holds the device, or one of its partitions, exclusively. */
export function heldExclusively(path: string, signal: AbortSignal): Promise<boolean> {
  return finish(binding().heldExclusively(deviceLane(path), path), signal)
}

/** The same; a device that has gone meanwhile is used by nobody. */
export async function isInUse(path: string, signal: AbortSignal): Promise<boolean> {
  try {
    return await heldExclusively(path, signal)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENXIO', 'ENODEV')) return false
    throw error
  }
}

/** @throws BrickError DEVICE_IN_USE when somebody holds it so */
export async function refuseInUse(path: string, signal: AbortSignal): Promise<void> {
  if (!(await isInUse(path, signal))) return
  throw new BrickError('DEVICE_IN_USE', `${path} is mounted, part of another device, or open exclusively`, {
    details: { device: path },
  })
}

/** Writes out everything that was written to the device. @throws BrickError FLUSH_FAILED */
export async function flush(path: string, signal: AbortSignal): Promise<void> {
  try {
    await finish(binding().flushDevice(deviceLane(path), path), signal)
  } catch (error) {
    signal.throwIfAborted()
    throw new BrickError('FLUSH_FAILED', `${path} could not be flushed`, { details: { device: path }, cause: error })
  }
}

/** What is on the device, past the page cache; less only at its end. `offset` and `length` are multiples of 4096. */
export function readDevice(path: string, offset: number, length: number, signal: AbortSignal): Promise<Buffer> {
  return finish(binding().readDevice(deviceLane(path), path, offset, length), signal)
}

/** Whether the device answers a read that no cache can serve. */
export async function isReadable(path: string, signal: AbortSignal): Promise<boolean> {
  try {
    await finish(binding().readFirstBlock(deviceLane(path), path), signal)
    return true
  } catch (error) {
    if (failedWith(error, 'EACCES', 'EPERM')) throw error
    signal.throwIfAborted()
    return false
  }
}
