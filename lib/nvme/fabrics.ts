import { binding, failedWith, finish } from '../binding.ts'
import type { FabricsController } from '../binding.ts'
import { BrickError, invalid } from '../errors.ts'
import { lock } from '../lock.ts'
import { Secret } from '../properties/secret.ts'
import type { NvmeAddress } from './address.ts'
import type { NvmeController } from './controllers.ts'

/** The kernel connects one controller at a time (nvmf_dev_mutex in drivers/nvme/host/fabrics.c). */
const lane = 'nvme-fabrics'

/** An option's value; true for one that is there or not, undefined for one that is not. */
export type OptionValue = string | number | true | Secret | undefined

/** Options of a connect, by the kernel's names (nvmf_parse_options in drivers/nvme/host/fabrics.c). */
export type FabricsOptions = Readonly<Record<string, OptionValue>>

/**
 * What Linux 5.16 takes, the last before kernels list it. Which transport takes which of them is another matter, which
 * only the kernel knows.
 */
const silentKernelOptions = [
  ...['transport', 'nqn', 'traddr', 'trsvcid', 'host_traddr', 'host_iface', 'hostnqn', 'hostid'],
  ...['queue_size', 'nr_io_queues', 'nr_write_queues', 'nr_poll_queues', 'keep_alive_tmo', 'reconnect_delay'],
  ...['ctrl_loss_tmo', 'fast_io_fail_tmo', 'duplicate_connect', 'disable_sqflow', 'hdr_digest', 'data_digest'],
  ...['tos', 'discovery'],
]

/** Options for where a controller is reached. @throws BrickError INVALID_ARGUMENT */
export function addressOptions({ transport, traddr, trsvcid, hostTraddr, hostIface }: NvmeAddress): FabricsOptions {
  if (transport === 'fc' && hostTraddr === undefined) {
    throw invalid('host_traddr', 'the Fibre Channel port of this host, as in nn-0x…:pn-0x…', hostTraddr)
  }
  return {
    transport,
    traddr: traddr === '' ? undefined : traddr,
    trsvcid,
    host_traddr: hostTraddr,
    host_iface: hostIface,
  }
}

/**
 * Connects to a controller; `outcome` is there when it is live, and its namespaces come later. The kernel cannot be told
 * to stop: it goes on when the signal fires, which ends only the waiting for others. It connects one controller at a
 * time, and whoever waits for that waits here, and not in the kernel.
 *
 * `outcome` fails with SystemError as `connectFabrics` of the binding does: EALREADY when there is such a controller.
 *
 * @throws BrickError INVALID_ARGUMENT; NOT_SUPPORTED when the kernel has no NVMe over Fabrics or does not know an option
 */
export async function beginConnect(
  options: FabricsOptions,
  signal: AbortSignal,
): Promise<{ outcome: Promise<FabricsController> }> {
  const text = optionText(options)
  const known = await supportedOptions(signal)
  const unknown = Object.keys(options).filter((name) => options[name] !== undefined && !known.has(name))
  if (unknown.length > 0) {
    const message = `this kernel has no NVMe over Fabrics with ${unknown.join(', ')}`
    throw new BrickError('NOT_SUPPORTED', message, { details: { options: unknown } })
  }
  const turn = await lock(lane, signal)
  const outcome = finish(binding().connectFabrics(lane, text.reveal()), new AbortController().signal)
  return {
    outcome: outcome.finally(() => {
      turn[Symbol.dispose]()
    }),
  }
}

/** Once known they stay: a kernel does not learn more. */
let supported: ReadonlySet<string> | undefined

/** The options that this kernel takes. Waits for a connect that is under way. @throws BrickError NOT_SUPPORTED */
export async function supportedOptions(signal: AbortSignal): Promise<ReadonlySet<string>> {
  try {
    return (supported ??= parseOptionList(await finish(binding().fabricsOptions(lane), signal)))
  } catch (error) {
    if (failedWith(error, 'EINVAL')) return (supported = new Set(silentKernelOptions))
    if (!failedWith(error, 'ENOENT', 'ENXIO', 'ENODEV')) throw error
    throw new BrickError('NOT_SUPPORTED', 'this host has no NVMe over Fabrics: is the module nvme-fabrics loaded?', {
      cause: error,
    })
  }
}

/** The names in 'instance=-1,cntlid=-1,transport=%s,duplicate_connect,…'. The first two are no options. */
export function parseOptionList(list: string): ReadonlySet<string> {
  const names = list.split(/[,\s]+/).map((token) => token.replace(/=.*$/, ''))
  return new Set(names.filter((name) => !['', 'instance', 'cntlid'].includes(name)))
}

/**
 * Options as the kernel reads them. A secret, as there may be secrets in it.
 *
 * @throws BrickError INVALID_ARGUMENT for a value that the kernel would read as more than one
 */
export function optionText(options: FabricsOptions): Secret {
  const texts = Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined) return []
    if (value === true) return [name]
    const text = value instanceof Secret ? value.reveal() : String(value)
    if (text === '' || /[,\p{Cc}]/u.test(text))
      throw invalid(name, 'a text without commas and control characters', value)
    return [`${name}=${text}`]
  })
  return new Secret(texts.join(','))
}

/** Has the kernel look for namespaces that came, changed or went. Does not wait for that. */
export async function rescanController(name: string, signal: AbortSignal): Promise<void> {
  await finish(binding().rescanController(name, `/dev/${name}`), signal)
}

/** A controller by more than its name, which the kernel gives to the next one as soon as it is free. */
export type KnownController = Pick<NvmeController, 'name' | 'subsystemNqn'> &
  Partial<Pick<NvmeController, 'controllerId' | 'state'>>

/**
 * Disconnects, and returns when the controller and the disks that only it led to are gone; also when they were before.
 * False when the name is another controller's now, or the controller has been connected anew and has another id.
 */
export async function deleteController(controller: KnownController, signal: AbortSignal): Promise<boolean> {
  const { name } = controller
  const attribute = `/sys/class/nvme/${name}/delete_controller`
  try {
    await finish(binding().writeAttributeIf(name, attribute, '1', marksOf(controller)), signal)
    return true
  } catch (error) {
    if (failedWith(error, 'ESTALE')) return false
    if (failedWith(error, 'ENOENT', 'ENODEV')) return true
    throw error
  }
}

/** What its attributes say as long as it is itself. */
function marksOf({ name, subsystemNqn, controllerId, state }: KnownController): { pattern: string; content: string }[] {
  const folder = `/sys/class/nvme/${name}`
  const marks = [{ pattern: `${folder}/subsysnqn`, content: `${subsystemNqn}\n` }]
  // One that is being connected anew may be given another id.
  if (state !== 'live' || controllerId === undefined || controllerId === null) return marks
  return [...marks, { pattern: `${folder}/cntlid`, content: `${controllerId}\n` }]
}
