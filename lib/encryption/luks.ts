import { basename } from 'node:path'
import { recognize, requireBlank } from '../block/content.ts'
import { deviceFacts, flush, readDevice, refuseInUse } from '../block/disk.ts'
import { hasFailed, luksClose, luksFormat, luksOpen, luksResize } from '../cli/cryptsetup.ts'
import { BrickError, invalid } from '../errors.ts'
import { resolvePath } from '../files.ts'
import type { BlockDevice } from '../inventory/block-device.ts'
import { blockDevices } from '../inventory/inventory.ts'
import { lock } from '../lock.ts'
import { asBrickError, Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { requiredSecret } from '../properties/read.ts'
import type { Secret } from '../properties/secret.ts'
import { Rollback, withLeftovers } from '../rollback.ts'
import { isLink, originalPath } from './link-name.ts'
import { pointLink } from './private-link.ts'

export interface LuksOptions extends CallOptions {
  /** The passphrase, one line of text; a binary key as hexadecimal digits, as os-brick has it. Shown to nobody. */
  key: string
}

export interface FormatLuksOptions extends LuksOptions {
  /** Default 'luks2'. */
  type?: 'luks1' | 'luks2' | undefined
  /** As cryptsetup has it: 'aes-xts-plain64'. Default: cryptsetup's. */
  cipher?: string | undefined
  /** Bits. Default: cryptsetup's. */
  keySize?: number | undefined
}

// In all of these, `path` is what connectVolume returned.

/**
 * Makes a LUKS volume of a device that is proven to be blank, and of no other: what is formatted, what is written with
 * something unknown and what cannot be read are left alone. See `deviceContent`.
 *
 * @throws BrickError IDENTITY_MISMATCH when it is not blank; DEVICE_IN_USE, TOOL_FAILED, NOT_SUPPORTED
 */
export async function formatLuks(path: string, options: FormatLuksOptions): Promise<void> {
  const key = keyOf(options)
  const { type = 'luks2', cipher, keySize } = options
  if (!['luks1', 'luks2'].includes(type)) throw invalid('type', 'luks1 or luks2', type)
  if (cipher !== undefined && !/^[a-z\d][\w:.-]*$/.test(cipher)) throw invalid('cipher', 'a cipher', cipher)
  if (keySize !== undefined && !(Number.isInteger(keySize) && keySize > 0)) throw invalid('keySize', 'bits', keySize)
  using operation = new Operation('formatLuks', options)
  const device = await operation.step('find', (signal) => deviceAt(path, signal))
  using _device = await operation.step('lock', (signal) => lockDevice(device, signal))
  await operation.step('use', (signal) => refuseInUse(device, signal))
  await operation.step('blank', (signal) => requireBlank(device, signal))
  await operation.step('format', (signal) => luksFormat(device, { type, cipher, keySize }, key, signal))
}

/**
 * Opens a LUKS volume and returns the device to use, /dev/mapper/crypt-…. If `path` is the link of an encrypted volume,
 * the link leads there from now on, as it does with os-brick. One that is open is returned as it is.
 *
 * @throws BrickError AUTH_FAILED when the key is wrong; IDENTITY_MISMATCH when it is no LUKS volume; DEVICE_IN_USE,
 * TOOL_FAILED, NOT_SUPPORTED
 */
export async function openLuks(path: string, options: LuksOptions): Promise<string> {
  const key = keyOf(options)
  using operation = new Operation('openLuks', options)
  const device = await operation.step('find', (signal) => deviceAt(path, signal))
  using _device = await operation.step('lock', (signal) => lockDevice(device, signal))
  const open = await operation.step('find', (signal) => mappingOf(device, signal))
  const name = open?.map?.name ?? mappingName(path)
  const mapped = `/dev/mapper/${name}`
  const rollback = new Rollback()
  try {
    if (open === undefined) {
      await operation.step('check', (signal) => requireLuks(device, signal))
      await openMapping(device, name, key, operation, rollback)
    }
    if (isLink(path)) await operation.step('link', (signal) => pointLink(path, mapped, signal))
    return mapped
  } catch (error) {
    throw withLeftovers(asBrickError(error, 'open'), await rollback.run(operation))
  }
}

/**
 * Makes an open LUKS volume as large as its device, after that has been extended, and returns its size in bytes: less than
 * the device's, which has the header as well.
 *
 * @throws BrickError DEVICE_NOT_FOUND when it is not open; AUTH_FAILED, TOOL_FAILED, NOT_SUPPORTED
 */
export async function resizeLuks(path: string, options: LuksOptions): Promise<number> {
  const key = keyOf(options)
  using operation = new Operation('resizeLuks', options)
  const device = await operation.step('find', (signal) => deviceAt(path, signal))
  using _device = await operation.step('lock', (signal) => lockDevice(device, signal))
  const open = await operation.step('find', (signal) => mappingOf(device, signal))
  if (!open?.map) {
    throw new BrickError('DEVICE_NOT_FOUND', `${path} is not open`, { details: { device } })
  }
  const { name } = open.map
  await operation.step('resize', (signal) => luksResize(name, key, signal))
  return (await operation.step('size', (signal) => deviceFacts(open.path, signal))).size
}

/**
 * Closes a LUKS volume; one that is not open is fine, also when its device has gone. The link of an encrypted volume leads
 * to the device again.
 *
 * @throws BrickError DEVICE_IN_USE, FLUSH_FAILED; the volume then is still open
 */
export async function closeLuks(path: string, options: CallOptions = {}): Promise<void> {
  using operation = new Operation('closeLuks', options)
  const device = await operation.step('find', (signal) => resolvePath(originalPath(path), signal))
  using _device = await operation.step('lock', (signal) => lockDevice(device ?? originalPath(path), signal))
  const open = await operation.step('find', (signal) =>
    device === undefined ? mappingNamed(mappingName(path), signal) : mappingOf(device, signal),
  )
  if (open?.map) {
    const { name } = open.map
    await operation.step('use', (signal) => refuseInUse(open.path, signal))
    await operation.step('flush', (signal) => flush(open.path, signal))
    await operation.step('close', (signal) => luksClose(name, signal))
  }
  if (device !== undefined && isLink(path)) await operation.step('link', (signal) => pointLink(path, device, signal))
}

function keyOf({ key }: LuksOptions): Secret {
  return requiredSecret({ key }, 'key')
}

/** As os-brick calls it, so that either can close what the other has opened. */
function mappingName(path: string): string {
  return `crypt-${basename(path)}`
}

/** The device node, without links. @throws BrickError DEVICE_NOT_FOUND */
async function deviceAt(path: string, signal: AbortSignal): Promise<string> {
  const device = await resolvePath(originalPath(path), signal)
  if (device !== undefined) return device
  throw new BrickError('DEVICE_NOT_FOUND', `there is no ${path}`, { details: { device: path } })
}

function lockDevice(device: string, signal: AbortSignal): Promise<Disposable> {
  return lock(`luks ${device}`, signal)
}

/** @throws BrickError IDENTITY_MISMATCH */
async function requireLuks(device: string, signal: AbortSignal): Promise<void> {
  const found = recognize(await readDevice(device, 0, 4096, signal))
  if (found === 'crypto_LUKS') return
  throw new BrickError('IDENTITY_MISMATCH', `${device} is no LUKS volume`, { details: { device, found } })
}

/** What cryptsetup has made of a device; undefined when it is not open. */
async function mappingOf(device: string, signal: AbortSignal): Promise<BlockDevice | undefined> {
  const { byName } = await blockDevices(signal)
  const holders = byName.get(basename(device))?.holders ?? []
  return holders.map((name) => byName.get(name)).find((holder) => holder !== undefined && isMapping(holder))
}

async function mappingNamed(name: string, signal: AbortSignal): Promise<BlockDevice | undefined> {
  const { devices } = await blockDevices(signal)
  return devices.find((device) => device.map?.name === name && isMapping(device))
}

function isMapping({ map }: BlockDevice): boolean {
  return map?.uuid.startsWith('CRYPT-') === true
}

/** Opens a device, and closes it again when `rollback` runs. */
async function openMapping(
  device: string,
  name: string,
  key: Secret,
  operation: Operation,
  rollback: Rollback,
): Promise<void> {
  let mayBeOurs = true
  rollback.add('open', async (signal) => {
    if (mayBeOurs) await closeMappingOf(device, signal)
  })
  try {
    await operation.step('open', (signal) => luksOpen(device, name, key, signal))
  } catch (error) {
    // A mapping that is there all the same is another program's, which was faster.
    mayBeOurs = !hasFailed(error)
    throw error
  }
}

async function closeMappingOf(device: string, signal: AbortSignal): Promise<void> {
  const open = await mappingOf(device, signal)
  if (open?.map) await luksClose(open.map.name, signal)
}
