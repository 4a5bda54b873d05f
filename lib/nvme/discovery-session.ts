import { setTimeout as sleep } from 'node:timers/promises'
import { BrickError } from '../errors.ts'
import type { NvmeHost } from '../host/nvme-host.ts'
import { formatPortal } from '../network/portal.ts'
import type { Portal } from '../network/portal.ts'
import type { Operation } from '../operation.ts'
import { AdminQueue, CommandRefused } from './admin-queue.ts'
import type { Command } from './admin-queue.ts'
import { readDiscoveryLog } from './discovery-log.ts'
import { logPages } from './log-pages.ts'
import type { DiscoveredSubsystem } from './log-pages.ts'
import { discoveryNqn } from './names.ts'

/** Opcodes and types of Fabrics commands (NVM Express Base Specification 2.0, figures 139 and 382). */
const getLogPage = 0x02
const fabrics = 0x7f
const fabricsTypes = { propertySet: 0x00, connect: 0x01, propertyGet: 0x04 } as const

/** Offsets of controller properties (figure 35). */
const properties = { capabilities: 0x00, configuration: 0x14, status: 0x1c } as const

/**
 * Asks a discovery controller over NVMe/TCP for its log, over a connection of our own: neither the kernel nor anybody else
 * knows of it.
 */
export async function askDiscovery(
  portal: Portal,
  host: NvmeHost,
  operation: Operation,
): Promise<DiscoveredSubsystem[]> {
  using queue = await operation.step('connect', (signal) => connectTo(portal, host, signal))
  // Nobody says goodbye: with the connection the association ends.
  return await operation.step('log', () => askLog(queue))
}

/** Connect, then Property Set until the controller is ready (base specification 2.0, 3.5.1). */
async function connectTo(portal: Portal, host: NvmeHost, signal: AbortSignal): Promise<AdminQueue> {
  const queue = await AdminQueue.open(portal, signal)
  try {
    const { result } = await run(queue, connectCommand(host))
    // Figure 395: the bits of AUTHREQ, above CNTLID.
    if (((result >> 16n) & 0xffffn) !== 0n) {
      const details = { portal: formatPortal(portal) }
      throw new BrickError('AUTH_FAILED', `portal ${details.portal} wants to be shown a secret`, { details })
    }
    await enable(queue, signal)
    return queue
  } catch (error) {
    queue[Symbol.dispose]()
    throw error
  }
}

/** Figure 392 and, for the data, 394. */
function connectCommand({ nqn, id }: NvmeHost): Command {
  const words = Buffer.alloc(24)
  words.writeUInt16LE(adminQueueSize - 1, 4) // SQSIZE, counted from 0
  const data = Buffer.alloc(1024)
  data.write(id.replaceAll('-', ''), 0, 'hex')
  data.writeUInt16LE(anyController, 16)
  data.write(discoveryNqn, 256)
  data.write(nqn, 512)
  return { opcode: fabrics, fabricsType: fabricsTypes.connect, words, data }
}

/** The least that a controller has to offer, and more than one command at a time needs. */
const adminQueueSize = 32
const anyController = 0xffff

/** Of the configuration: enabled, with entries of 64 and 16 bytes, and the command sets that Linux asks for (figure 46). */
const enabled = 0x0046_0001
const allCommandSets = 0x60
/** Of the capabilities: all command sets can be had, bit 43 (figure 36). */
const knowsAllCommandSets = 1n << 43n
const ready = 0x1n
const fatal = 0x2n
/** Milliseconds between two looks at a controller that is not ready at once, as Linux has it. */
const interval = 100

async function enable(queue: AdminQueue, signal: AbortSignal): Promise<void> {
  const capabilities = await getProperty(queue, properties.capabilities, 8)
  const commandSets = (capabilities & knowsAllCommandSets) === 0n ? 0 : allCommandSets
  await setProperty(queue, properties.configuration, enabled | commandSets)
  // TO: in half seconds, how long it may take.
  const patience = (Number((capabilities >> 24n) & 0xffn) + 1) * 500
  for (const start = performance.now(); ;) {
    const status = await getProperty(queue, properties.status, 4)
    if ((status & fatal) === 0n && (status & ready) !== 0n) return
    if ((status & fatal) !== 0n || performance.now() - start > patience) {
      const text = formatPortal(queue.portal)
      throw new BrickError('LOGIN_FAILED', `portal ${text}: its controller does not become ready`, {
        details: { portal: text, status: Number(status) },
      })
    }
    // Nobody announces it.
    await sleep(interval, undefined, { signal }).catch(() => {
      signal.throwIfAborted()
    })
  }
}

async function getProperty(queue: AdminQueue, offset: number, size: 4 | 8): Promise<bigint> {
  const words = Buffer.alloc(24)
  words.writeUInt8(size === 8 ? 1 : 0, 0)
  words.writeUInt32LE(offset, 4)
  const { result } = await run(queue, { opcode: fabrics, fabricsType: fabricsTypes.propertyGet, words })
  return size === 8 ? result : result & 0xffff_ffffn
}

async function setProperty(queue: AdminQueue, offset: number, value: number): Promise<void> {
  const words = Buffer.alloc(24)
  words.writeUInt32LE(offset, 4)
  words.writeUInt32LE(value, 8)
  await run(queue, { opcode: fabrics, fabricsType: fabricsTypes.propertySet, words })
}

async function askLog(queue: AdminQueue): Promise<DiscoveredSubsystem[]> {
  return await readDiscoveryLog(async (offset, length) => {
    const words = Buffer.alloc(24)
    words.writeUInt8(logPages.discovery, 0)
    words.writeUInt16LE(length / 4 - 1, 2) // NUMDL, in words, counted from 0
    words.writeUInt32LE(offset, 8)
    const { data } = await run(queue, { opcode: getLogPage, words, length })
    return data
  })
}

/** What Connect may be refused with (figure 396), where that is more than a matter of protocol. */
const refusals: Readonly<Record<string, readonly ['AUTH_FAILED' | 'LOGIN_FAILED', string]>> = {
  '1/81': ['LOGIN_FAILED', 'the controller is busy'],
  '1/82': ['LOGIN_FAILED', 'it has no discovery controller'],
  '1/84': ['AUTH_FAILED', 'this host is not let in'],
  '1/91': ['AUTH_FAILED', 'it wants to be shown a secret'],
}

async function run(queue: AdminQueue, command: Command): ReturnType<AdminQueue['run']> {
  try {
    return await queue.run(command)
  } catch (error) {
    if (!(error instanceof CommandRefused)) throw error
    const [code, meaning] = refusals[error.status] ?? ['LOGIN_FAILED']
    throw error.failure(code, queue.portal, meaning)
  }
}
