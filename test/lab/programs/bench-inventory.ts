/**
 * How long it takes to list many devices, and to hear of a change among them: bench-inventory.js [ROUNDS]
 *
 * Everything is compared in one boot, in turn. Ends with a status other than 0 when a goal is missed.
 */
import { execFile, execFileSync, spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createRequire } from 'node:module'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { inventory, ISCSIConnector, liveInventory } from 'hostbrick'
import { blockDevices } from 'systeminformation'
import { loadModules, run } from '../command.ts'
import { startIscsid } from '../daemons.ts'
import { NullDisk } from '../null-disk.ts'
import { Report } from '../report.ts'
import { quietUdev, removeScsiDebug, scsiDebug } from '../scsi-debug.ts'
import { median, percentile } from '../statistics.ts'
import { iscsiTarget } from '../targets.ts'
import { until } from '../wait.ts'

const rounds = Number(process.argv[2] ?? 7)
const counts = (process.argv[3] ?? '10,100,1000,4000').split(',').map(Number)
const floorProgram = fileURLToPath(new URL('../inventory-floor', import.meta.url))
const listerProgram = fileURLToPath(new URL('../lister.js', import.meta.url))
const growthProgram = fileURLToPath(new URL('../../../test/lab/loop-growth.py', import.meta.url))
const watcherProgram = fileURLToPath(new URL('../watcher.js', import.meta.url))
const peers = createRequire(new URL('../../../test/lab/peers/package.json', import.meta.url))
// What its `list` calls on Linux. The module around it wants an addon that only other systems need.
const drivelist = peers('drivelist/js/lsblk') as { readonly lsblk: () => Promise<unknown[]> }
/** The file behind a loop device that changes. */
const backing = '/tmp/backing'
let followers = 0
const report = new Report('inventory', 'Device discovery')

/** A way to list the devices: milliseconds. `until` bounds the number of devices that it is tried with. */
interface Lister {
  readonly name: string
  /** Calls before the first that counts; one when left out. */
  readonly warmUp?: number
  readonly list: () => Promise<number> | number
  readonly rounds?: (devices: number) => number
}

/** A single round of some takes minutes with thousands of devices, and of others half a minute. */
const few = (devices: number): number => (devices > 2000 ? 0 : devices > 500 ? 1 : rounds)
/** One that takes as long, but which a goal speaks of. */
const some = (devices: number): number => Math.min(rounds, 3 * few(devices))
const fewer = (devices: number): number => (devices > 2000 ? 1 : rounds)

const program =
  (...command: [string, ...string[]]): (() => number) =>
  () =>
    timed(() => execFileSync(command[0], command.slice(1), { maxBuffer: 2 ** 30, stdio: ['ignore', 'pipe', 'ignore'] }))

/** A process that is there already, and lists when it is told to; see lister.ts. */
class Agent {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #times: AsyncIterator<string>

  constructor(way: 'hostbrick' | 'synchronously') {
    this.#process = spawn(process.execPath, [listerProgram, way], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#times = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  readonly list = async (): Promise<number> => {
    this.#process.stdin.write('\n')
    const line = await this.#times.next()
    if (line.done) throw new Error('a lister has ended')
    return Number(line.value)
  }

  stop(): void {
    this.#process.stdin.end()
  }
}

/**
 * A program that says 'ready', and then a line whenever something happens. It says so to a file: to hear of it at once
 * would take the processor's time.
 */
class Follower implements Disposable {
  readonly #file = `/tmp/follower-${++followers}`
  readonly #process: ChildProcess

  static async start(...command: [string, ...string[]]): Promise<Follower> {
    const follower = new Follower(command)
    await until(`${command.join(' ')} is ready`, () => follower.#text.startsWith('ready'), 60_000)
    return follower
  }

  private constructor([program, ...parameters]: [string, ...string[]]) {
    const output = openSync(this.#file, 'w')
    this.#process = spawn(program, parameters, { stdio: ['ignore', output, 'inherit'] })
    closeSync(output)
  }

  get lines(): string[] {
    return this.#text.split('\n').slice(1, -1)
  }

  get #text(): string {
    return readFileSync(this.#file, 'utf8')
  }

  [Symbol.dispose](): void {
    this.#process.kill()
  }
}

const [hostbrick, synchronous] = [new Agent('hostbrick'), new Agent('synchronously')]
const listers: readonly Lister[] = [
  { name: 'C, the same attributes', list: () => Number(execFileSync(floorProgram)) },
  // An agent lists again and again; what the first time of a process takes is the next line.
  { name: 'hostbrick', list: hostbrick.list, warmUp: 60 },
  { name: 'hostbrick, first call', list: () => Number(execFileSync(process.execPath, [firstCall()])) },
  { name: 'Node.js, synchronous', list: synchronous.list },
  { name: 'lsscsi -i', list: program('lsscsi', '-i'), rounds: fewer },
  { name: 'lsblk -J', list: program('lsblk', '-J'), rounds: fewer },
  { name: 'systeminformation', list: () => timedLater(blockDevices), rounds: few },
  { name: 'drivelist', list: () => timedLater(drivelist.lsblk), rounds: few },
  { name: 'udevadm info -e', list: program('udevadm', 'info', '--export-db'), rounds: fewer },
  { name: 'lsblk -J -O', list: program('lsblk', '-J', '-O'), rounds: some },
]

setFlagsFromString('--expose-gc')
/** So that nobody's time is spent on what another has left behind. */
const collectGarbage = runInNewContext('gc') as () => void

quietUdev()
// drivelist does not do without, which no host with all of its rules has to.
mkdirSync('/dev/disk/by-path', { recursive: true })
await listDisks()
await listNamespaces()
hostbrick.stop()
synchronous.stop()
await lookUp()
await hearOfChanges()
await measureStalls()
process.exitCode = report.finish()

async function listDisks(): Promise<void> {
  const results = new Map<number, Map<string, number[]>>()
  for (const count of counts) {
    await scsiDebug(count)
    run('udevadm', 'settle', '--timeout=600')
    results.set(count, await compare(listers, count))
    await measureStallOf(count)
    await removeScsiDebug()
  }
  report.comparison(`Listing SCSI LUNs with their identity (ms)`, 'LUNs', results)
  const at = (count: number, name: string): number => median(results.get(count)?.get(name) ?? [])
  const count = counts.includes(1000) ? 1000 : (counts.at(-1) ?? 0)
  const ours = at(count, 'hostbrick')
  report.goal(`${count} LUNs: at least 40x faster than lsblk -J -O`, at(count, 'lsblk -J -O') / ours, '>=', 40)
  report.goal(`${count} LUNs: at least 3x faster than lsscsi -i`, at(count, 'lsscsi -i') / ours, '>=', 3)
  report.goal(`${count} LUNs: at least 2x faster than Node.js`, at(count, 'Node.js, synchronous') / ours, '>=', 2)
  report.goal(`${count} LUNs: at most 1.3x the C program`, ours / at(count, 'C, the same attributes'), '<=', 1.3)
  const largest = counts.at(-1) ?? 0
  const growth = at(largest, 'hostbrick') / largest / (at(100, 'hostbrick') / 100)
  const floors = at(largest, 'C, the same attributes') / largest / (at(100, 'C, the same attributes') / 100)
  report.goal(
    `cost per device with ${largest} LUNs, of that with 100; the C program's is ${floors.toFixed(2)}`,
    growth,
    '<=',
    1.3 * Math.max(1, floors),
  )
}

/** Each lister once a round, in turn, after a round to warm up. */
async function compare(listers: readonly Lister[], devices: number): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>(listers.map(({ name }) => [name, []]))
  for (const { warmUp = 0, list } of listers) for (let call = 0; call < warmUp; call++) await list()
  for (let round = 0; round <= rounds; round++) {
    for (const { name, list, rounds: limit } of listers) {
      // Those that take long need no warming up.
      const limited = limit?.(devices) ?? Infinity
      if (round > limited || (round === 0 && limited < rounds)) continue
      collectGarbage()
      const time = await list()
      if (round > 0) times.get(name)?.push(time)
    }
  }
  console.log(devices, [...times].map(([name, all]) => `${name} ${median(all).toFixed(1)}`).join(', '))
  return times
}

function firstCall(): string {
  const script = '/tmp/first-call.mjs'
  writeFileSync(
    script,
    `import { inventory } from '/share/dist/index.js'
     const start = performance.now()
     const { devices } = await inventory()
     devices.map(({ name, identity, wwid }) => [name, identity?.names.udev ?? wwid])
     console.log(performance.now() - start)`,
  )
  return script
}

async function measureStallOf(count: number): Promise<void> {
  const resolution = 1
  const delay = monitorEventLoopDelay({ resolution })
  delay.enable()
  for (let round = 0; round < 5; round++) await inventory()
  delay.disable()
  const [p99, longest] = [delay.percentile(99), delay.max].map((value) => Math.max(0, value / 1e6 - resolution))
  report.line(`Event loop while ${count} LUNs are listed: p99 ${fixed(p99)} ms, longest stall ${fixed(longest)} ms`)
}

/** 512 namespaces of one subsystem, over nvme-loop. */
async function listNamespaces(): Promise<void> {
  const count = 512
  const nqn = 'nqn.2026-11.lab:bench-inventory'
  loadModules('nvmet', 'nvme_loop')
  NullDisk.load()
  const disk = new NullDisk()
  const [subsystem, port] = [`/sys/kernel/config/nvmet/subsystems/${nqn}`, '/sys/kernel/config/nvmet/ports/9']
  mkdirSync(subsystem)
  writeFileSync(`${subsystem}/attr_allow_any_host`, '1')
  for (let number = 1; number <= count; number++) {
    const namespace = `${subsystem}/namespaces/${number}`
    mkdirSync(namespace)
    writeFileSync(`${namespace}/device_path`, disk.path)
    writeFileSync(`${namespace}/enable`, '1')
  }
  mkdirSync(port)
  writeFileSync(`${port}/addr_trtype`, 'loop')
  execFileSync('ln', ['-s', subsystem, `${port}/subsystems/${nqn}`])
  // Slow listers keep an emulated guest too busy for keep-alives; the target then ends the connection, and who deletes the
  // controller waits for ever.
  writeFileSync('/dev/nvme-fabrics', `transport=loop,nqn=${nqn},keep_alive_tmo=600`)
  const namespaces = (): number => readdirSync('/sys/class/block').filter((name) => /^nvme\d+n\d+$/.test(name)).length
  await until(`${count} namespaces`, () => namespaces() >= count, 300_000)
  run('udevadm', 'settle', '--timeout=600')
  const nvmeList: Lister = { name: 'nvme list', list: program('nvme', 'list', '--output-format=json'), rounds: () => 2 }
  const others = listers.filter(({ name }) => name !== 'lsscsi -i')
  const results = new Map([[count, await compare([...others, nvmeList], count)]])
  report.comparison('Listing NVMe namespaces with their identity (ms)', 'namespaces', results)
  await lookUpNamespaces(nqn)
  for (const controller of readdirSync('/sys/class/nvme')) {
    writeFileSync(`/sys/class/nvme/${controller}/delete_controller`, '1')
  }
  execFileSync('rm', [`${port}/subsystems/${nqn}`])
  execFileSync('rmdir', [port])
  for (let number = 1; number <= count; number++) execFileSync('rmdir', [`${subsystem}/namespaces/${number}`])
  execFileSync('rmdir', [subsystem])
  disk.remove()
}

async function lookUpNamespaces(nqn: string): Promise<void> {
  using live = await liveInventory()
  const uuids = [...live.byNamespaceName.keys()].filter((name) => name.includes('-'))
  const microseconds = timeLookups(uuids, (uuid) =>
    live.byNamespaceName.get(uuid)?.find(({ nvme }) => nvme?.nqn === nqn),
  )
  report.goal('a namespace by NQN and UUID in a live inventory (µs)', microseconds, '<=', 20)
}

async function lookUp(): Promise<void> {
  await scsiDebug(1000)
  using live = await liveInventory()
  const microseconds = timeLookups([...live.byWwid.keys()], (wwid) => live.byWwid.get(wwid))
  report.goal('a volume by WWID in a live inventory of 1,000 (µs)', microseconds, '<=', 20)
  await removeScsiDebug()
}

/** The slowest hundredth of an agent's lookups, which has made some before. */
function timeLookups(names: readonly string[], lookUp: (name: string) => unknown): number {
  if (names.length === 0) throw new Error('nothing to look up')
  const times = new Float64Array(10 * names.length)
  const timeAll = (): void => {
    for (let at = 0; at < times.length; at++) {
      const name = names[at % names.length] ?? ''
      const start = performance.now()
      const found = lookUp(name)
      times[at] = performance.now() - start
      if (found === undefined) throw new Error(`${name} is not found`)
    }
  }
  collectGarbage()
  // Until all of V8's young generation has been written to, twice: a first write to a page costs more than a lookup.
  for (let lookups = 0; lookups < 400_000; lookups += times.length) timeAll()
  timeAll()
  return percentile([...times], 0.99) * 1000
}

/**
 * From the kernel's event to the change in the hands of who watches, with other devices that nothing happens to; and to the
 * end of the least that anybody has to do for it, by a program in C.
 */
async function hearOfChanges(): Promise<void> {
  loadModules('loop')
  writeFileSync(backing, '')
  truncateSync(backing, 2 ** 20)
  const device = run('losetup', '--find', '--show', backing).trim()
  const rows = [['unrelated devices', 'p50', 'p99', 'C program: p50', 'p99']]
  for (const others of [0, 100, 1000]) {
    // Like an agent's, the watch has been there before these devices, and has heard of much.
    const watcher: Hearer = { command: [process.execPath, watcherProgram, device], changesBefore: 2000 }
    const ours = await latencies(device, watcher, () => addDevices(others))
    const floor = await latencies(device, { command: [floorProgram, device.replace('/dev/', '')], changesBefore: 50 })
    rows.push([
      String(others),
      ...[ours, floor].flatMap((times) => [fixed(median(times)), fixed(percentile(times, 0.99))]),
    ])
    if (others === 1000)
      report.goal('event to promise with 1,000 unrelated devices, p99 (ms)', percentile(ours, 0.99), '<=', 10)
    await removeScsiDebug()
  }
  report.table("From the kernel's event to the resolved promise of a watch (ms)", rows)
  run('losetup', '--detach', device)
}

async function addDevices(count: number): Promise<void> {
  if (count > 0) await scsiDebug(count)
  run('udevadm', 'settle', '--timeout=600')
}

/** A program that prints when it hears of each change of a loop device. */
interface Hearer {
  readonly command: [string, ...string[]]
  /** Changes before the first that counts. */
  readonly changesBefore: number
}

/** How late it does: milliseconds. `prepare` is called when it has begun. */
async function latencies(
  device: string,
  { command, changesBefore }: Hearer,
  prepare?: () => Promise<void>,
): Promise<number[]> {
  const samples = 500
  using hearer = await Follower.start(...command)
  await prepare?.()
  const announced = run('python3', growthProgram, device, backing, String(changesBefore), String(samples))
  await until('all is heard', () => hearer.lines.length === changesBefore + samples, 60_000)
  const heard = hearer.lines.slice(changesBefore)
  return announced
    .trim()
    .split('\n')
    .map((time, sample) => Number(BigInt(heard[sample] ?? 0) - BigInt(time)) / 1e6)
}

/** How long the event loop stands still during an attach, and while a process is started, in a process of this size. */
async function measureStalls(): Promise<void> {
  const iscsid = await startIscsid()
  const iqn = 'iqn.2026-11.lab:stall'
  const target = iscsiTarget({ iqn, portals: ['127.0.0.1:3260'], luns: { 0: { megabytes: 8 } } })
  const volume = { target_portal: '127.0.0.1:3260', target_iqn: iqn, target_lun: 0 }
  const connector = new ISCSIConnector()
  const attach = async (): Promise<void> => connector.disconnectVolume(volume, await connector.connectVolume(volume))
  await attach()
  const rows = [['resident memory (MB)', 'attach and detach', 'child_process']]
  const ballast: Buffer[] = []
  const medians: number[] = []
  for (const megabytes of [50, 500, 2000]) {
    while (process.memoryUsage.rss() < megabytes * 1e6) ballast.push(Buffer.alloc(16 << 20, 1))
    const [ours, theirs]: [number[], number[]] = [[], []]
    for (let round = 0; round < 5; round++) {
      ours.push(await stallOf(attach))
      theirs.push(await stallOf(() => promisify(execFile)('true')))
    }
    medians.push(median(ours))
    rows.push([(process.memoryUsage.rss() / 1e6).toFixed(0), fixed(median(ours)), fixed(median(theirs))])
  }
  report.table('Longest stall of the event loop (ms), by resident memory', rows)
  const [small = 0, , large = 0] = medians
  report.goal('the stall at 2 GB, of that at 50 MB, or 1 ms more', large, '<=', Math.max(1.3 * small, small + 1))
  target.remove()
  await iscsid.stop()
}

async function stallOf(act: () => Promise<unknown>): Promise<number> {
  const resolution = 1
  const delay = monitorEventLoopDelay({ resolution })
  delay.enable()
  await act()
  delay.disable()
  return Math.max(0, delay.max / 1e6 - resolution)
}

function timed(act: () => unknown): number {
  const start = performance.now()
  act()
  return performance.now() - start
}

async function timedLater(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await act()
  return performance.now() - start
}

function fixed(value = Number.NaN): string {
  return value.toFixed(value < 10 ? 2 : 0)
}
