import { onAbort } from './abort.ts'
import { loadAddon } from './addon.ts'
import { errnoName } from './errno.ts'

/** A blocking call on one of the addon's own threads. */
export interface Job<T> {
  readonly result: Promise<T>
  /** What it is known by to `abandon`. */
  readonly number: number
}

/** What an open block device says of itself. Sizes are bytes; `diskSequence` is 0 before Linux 5.15. */
export interface DeviceFacts {
  readonly size: number
  readonly major: number
  readonly minor: number
  readonly diskSequence: number
  readonly logicalBlock: number
  readonly readOnly: boolean
}

/** A part of a walk, and the call for the next; null after the last. */
export interface WalkPart {
  readonly bytes: Buffer
  readonly more: (() => Job<WalkPart>) | null
}

/** One change to the file system; `unless` lists the errno numbers that are as good as success. */
export type FileOperation = { readonly unless?: readonly number[] } & (
  | { readonly verb: 'makeDirectory'; readonly path: string; readonly mode: number }
  | {
      readonly verb: 'createFile'
      readonly path: string
      readonly content: string
      readonly mode: number
      /** Its content is to outlast a crash of the host (fsync); else it may turn out empty. */
      readonly durable?: boolean
    }
  | { readonly verb: 'rename' | 'link'; readonly from: string; readonly to: string }
  | { readonly verb: 'symbolicLink'; readonly target: string; readonly path: string }
  | { readonly verb: 'unlink' | 'removeDirectory'; readonly path: string }
)

export interface Program {
  /** The program, found in PATH, and its arguments. Never a secret: every user of the host can read them. */
  readonly arguments: readonly string[]
  readonly environment: readonly string[]
  readonly input: string
}

/** How a program ended: `code` is -1 when a signal did it. */
export interface Ending {
  readonly code: number
  readonly signal: number
  readonly output: string
  readonly error: string
}

/** Where somebody listens on this host. */
export type LocalListener = { readonly abstract: string } | { readonly path: string }
/** Where somebody listens: a local socket, or a TCP port at an address. */
export type Listener = LocalListener | { readonly address: string; readonly port: number }

/** What a daemon said before it closed the connection. */
export interface Answer {
  readonly bytes: Buffer
  /** The process that wrote it; 0 when it is out of this process's sight. */
  readonly pid: number
  /** Whether it had read the request to its end. */
  readonly consumed: boolean
}

export interface HostReading {
  readonly files: (Buffer | number)[]
  readonly walk: Buffer
  readonly addresses: string[]
}

/** What a SCSI unit says of itself, raw. */
export interface Identification {
  readonly standard: Buffer | null
  readonly page83: Buffer | null
  readonly page80: Buffer | null
}

/** One stretch of a device-mapper device. */
export interface MapTarget {
  readonly type: string
  readonly parameters: string
}

/** What a device-mapper device is (`table`) and how it does (`status`), target by target. */
export interface MapState {
  readonly uuid: string
  readonly suspended: boolean
  readonly table: readonly MapTarget[]
  readonly status: readonly MapTarget[]
}

/** A controller: /dev/nvme`instance`. Of one that is not connected yet, `reason` is what the kernel's log says. */
export interface FabricsController {
  readonly instance: number
  readonly connected: boolean
  readonly reason: string
}

/** What to read of which NVMe log page; see native/nvme/admin.h. */
export interface LogPage {
  readonly identifier: number
  readonly specific: number
  readonly offset: number
  readonly length: number
}

export type UeventGroup = 'kernel' | 'udev'

export interface UeventMonitor {
  /** From now on only events that contain one of these texts are received; before the first call, none. */
  only(texts: readonly string[]): void
  /** The next events of block devices come with a look at these, once: what the last folder of this plan asks of them. */
  lookAtNext(plan: string): void
  close(): void
}

/** What a walk has read of the block devices that some uevents are about, after these events had come. */
export interface DeviceLook {
  readonly names: readonly string[]
  readonly bytes: Buffer
}

/** What the kernel says of an iSCSI session; see native/iscsi/message.h. */
export type SessionEvent =
  | { readonly kind: 'created' | 'destroyed' | 'unbound'; readonly session: number; readonly host: number }
  | { readonly kind: 'failed'; readonly session: number; readonly connection: number; readonly error: number }

/** Calls on the addon's threads: those queued, those somebody waits for, and those parked in the kernel after their caller gave up. */
export interface LaneStatistics {
  readonly threads: number
  readonly queued: number
  readonly running: number
  readonly parked: number
}

/**
 * What the addon exports; see the binding.h of each folder below native/.
 * `lane` names the kernel lock that a call waits for: calls of one lane run one after the other.
 */
export interface Binding {
  readFile(lane: string, path: string): Job<Buffer>
  /** Each file's content, or the errno, negative, that kept it from being read. */
  readFiles(lane: string, paths: readonly string[]): Job<(Buffer | number)[]>
  listDirectory(lane: string, path: string): Job<string[]>
  writeAttribute(lane: string, path: string, value: string): Job<void>
  /**
   * The same, if each file that one of these patterns (glob(7)) matches holds its content; ESTALE when one holds something
   * else. A pattern that matches nothing is no obstacle. ENODEV when the attribute's device goes while they are looked at.
   */
  writeAttributeIf(
    lane: string,
    path: string,
    value: string,
    expected: readonly { readonly pattern: string; readonly content: string }[],
  ): Job<void>
  /** `plan` is a WalkPlan's text. */
  walk(lane: string, root: string, plan: string): Job<Buffer>
  /**
   * The same by some hundred entries at a time, so that one part can be made use of while the next is read; of the last
   * folder `only` these entries, or all.
   */
  walkInParts(lane: string, root: string, plan: string, only: readonly string[] | null): Job<WalkPart>
  changeFiles(lane: string, operations: readonly FileOperation[]): Job<void>
  /** The path without links; ENOENT when it leads to nothing. */
  resolvePath(lane: string, path: string): Job<string>
  deviceFacts(lane: string, path: string): Job<DeviceFacts>
  flushDevice(lane: string, path: string): Job<void>
  heldExclusively(lane: string, path: string): Job<boolean>
  readFirstBlock(lane: string, path: string): Job<void>
  /** Past the page cache; `offset` and `length` are multiples of the logical block. Less only at the device's end. */
  readDevice(lane: string, path: string, offset: number, length: number): Job<Buffer>
  /** Its answers to three INQUIRYs; null for a question that it does not know. */
  identify(lane: string, device: string, timeout: number): Job<Identification>
  /**
   * Page 0x83 alone, empty when it does not know that; null when the attribute `state` says that the kernel sends the device
   * no commands, or is not there.
   */
  designatorsIfRunning(lane: string, device: string, state: string, timeout: number): Job<Buffer | null>
  reportLuns(lane: string, device: string, timeout: number): Job<Buffer>
  readCapacity(lane: string, device: string, timeout: number): Job<Buffer>
  /**
   * Connects to the first of these who listens, sends one request and waits for so many bytes of an answer, or for as many
   * as its first ones, a size_t, count; those that come with them are there as well. EACCES when a local listener is another
   * user's, root aside; ECONNRESET when the connection ends earlier.
   */
  exchange(listeners: readonly [Listener, ...Listener[]], request: Buffer, answer: number | 'counted'): Job<Buffer>
  /** Whether somebody listens at one of these; whoever it may be, and however busy. */
  isListening(listeners: readonly LocalListener[]): boolean
  /**
   * Connects to a socket in the abstract namespace, sends one request and reads the answer to its end. EAGAIN after
   * `timeout` milliseconds of silence.
   */
  askAbstract(name: string, request: Buffer, timeout: number): Job<Answer>
  /** ENXIO when there is no such device-mapper device; so below. */
  mapState(lane: string, name: string): Job<MapState>
  resumeMap(lane: string, name: string): Job<void>
  messageMap(lane: string, name: string, message: string): Job<void>
  /** EBUSY when somebody has it open; with `whenClosed` it goes as soon as nobody has. */
  removeMap(lane: string, name: string, whenClosed: boolean): Job<void>
  /** EINVAL where the kernel does not say, ENOENT where it has no NVMe over Fabrics loaded. */
  fabricsOptions(lane: string): Job<string>
  /** EALREADY when there is such a controller; `detail` has the kernel's own reason. Secrets in `options` are shown to nobody. */
  connectFabrics(lane: string, options: string): Job<FabricsController>
  /** EIO with `detail` 'status SCT/SC' when the controller refuses; so below. */
  identifyNvme(lane: string, device: string, cns: number, namespaceId: number, timeout: number): Job<Buffer>
  nvmeLogPage(lane: string, device: string, page: LogPage, timeout: number): Job<Buffer>
  rescanController(lane: string, device: string): Job<void>
  /** `readFiles`, `walk` and this host's addresses in one go: of all interfaces but the loopback ones, without zones. */
  readHost(lane: string, paths: readonly string[], root: string, plan: string): Job<HostReading>
  resolveHost(host: string): Job<string[]>
  /** Resolves when somebody listens there, who does not get to see it; `source` and `interface` may be empty. */
  probePort(address: string, port: number, source: string, iface: string): Job<void>
  runProgram(program: Program): Job<Ending>
  /** Exclusive, or shared with others that are. */
  lockByte(lane: string, path: string, offset: bigint, shared?: boolean): Job<() => void>
  /** At once, without a thread: undefined while somebody else holds it. */
  tryLockByte(path: string, offset: bigint, shared?: boolean): (() => void) | undefined
  openMonitor(
    group: UeventGroup,
    receive: (events: string[], lost: boolean, look: DeviceLook | null) => void,
  ): UeventMonitor
  /** EPROTONOSUPPORT when the kernel has no iSCSI loaded, EPERM without CAP_NET_ADMIN. */
  openSessionMonitor(receive: (events: SessionEvent[], lost: boolean) => void): () => void
  /**
   * Gives a call up: its `result` rejects at once; a queued one never starts, a running one is parked until the kernel lets
   * go. One that has been settled is left alone.
   */
  abandon(number: number): void
  laneStatistics(): LaneStatistics
}

let loaded: Binding | undefined

/** The addon, loaded at its first use: importing hostbrick works, and costs nothing, where the addon does not. */
export function binding(): Binding {
  return (loaded ??= loadAddon() as Binding)
}

/** A system call failed: `code` is the errno's name, as on Node's own system errors. */
export class SystemError extends Error {
  override readonly name = 'SystemError'
  readonly code: string
  readonly errno: number
  readonly syscall: string
  readonly path: string
  /** What the device said, if anything: SCSI status and sense, NVMe status, the kernel's log of a connect. */
  readonly detail: string | undefined

  constructor(cause: NativeFailure) {
    const code = errnoName(cause.errno)
    super(`${code}: ${cause.message}`, { cause })
    this.code = code
    this.errno = cause.errno
    this.syscall = cause.syscall
    this.path = cause.path
    this.detail = cause.detail
  }
}

interface NativeFailure extends Error {
  readonly errno: number
  readonly syscall: string
  readonly path: string
  readonly detail?: string
}

function isNativeFailure(error: unknown): error is NativeFailure {
  return error instanceof Error && 'errno' in error && 'syscall' in error
}

/** A failure as the addon throws it, as a SystemError; any other error as it is. */
export function asSystemError(error: unknown): unknown {
  return isNativeFailure(error) ? new SystemError(error) : error
}

/** Whether `error` is a system call's failure with one of these errno names. */
export function failedWith(error: unknown, ...codes: string[]): error is SystemError {
  return error instanceof SystemError && codes.includes(error.code)
}

/** Waits for a job, or gives it up and throws the signal's reason. */
export async function finish<T>({ result, number }: Job<T>, signal: AbortSignal): Promise<T> {
  const abandon = (): void => {
    binding().abandon(number)
  }
  const forget = onAbort(signal, abandon)
  try {
    if (signal.aborted) abandon()
    return await result
  } catch (error) {
    signal.throwIfAborted()
    throw asSystemError(error)
  } finally {
    forget()
  }
}

/** The same for a job that is nobody's in particular: a timer is cheaper than a signal. @throws DOMException TimeoutError */
export async function finishWithin<T>(job: Job<T>, milliseconds: number): Promise<T> {
  const limit = { passed: false }
  const timer = setTimeout(() => {
    limit.passed = true
    binding().abandon(job.number)
  }, milliseconds)
  try {
    return await job.result
  } catch (error) {
    throw limit.passed ? new DOMException(`not done within ${milliseconds} ms`, 'TimeoutError') : asSystemError(error)
  } finally {
    clearTimeout(timer)
  }
}

/** Nothing is loaded to say that nothing runs. */
export function laneStatistics(): LaneStatistics {
  return loaded?.laneStatistics() ?? { threads: 0, queued: 0, running: 0, parked: 0 }
}
