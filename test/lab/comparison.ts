import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { DeviceInfo, InitiatorConnector, StepMessage } from 'hostbrick'
import type { OsBrick } from './os-brick.ts'
import { settled } from './residue.ts'
import { median, mediansByKey, table } from './statistics.ts'

const calls = ['connect', 'disconnect'] as const
type Call = (typeof calls)[number]
/** Something for each of the two calls. */
type Each<T> = Record<Call, T>

export interface Comparison {
  title: string
  /** By os-brick's name. */
  protocol?: 'ISCSI' | 'NVMEOF' | 'FIBRE_CHANNEL'
  connect: () => Promise<DeviceInfo>
  properties: Record<string, unknown>
  multipath: boolean
  /** How many times faster than os-brick hostbrick is to be. */
  goals: Each<number>
  /** What the kernel takes by itself. */
  floor?: {
    /** Connects and disconnects in this way, and returns the milliseconds of each. */
    measure: () => Promise<Each<number>>
    /** How many times as much hostbrick may take. */
    limits: Each<number>
  }
}

export interface Contestants {
  /** Which detaches what was attached. */
  connector: InitiatorConnector
  osBrick: OsBrick
  /** After one to warm up. */
  rounds: number
}

/** Attaches and detaches a volume with hostbrick and os-brick in turn, and prints the medians and where ours go. */
export async function compareInTurn(
  { connector, osBrick, rounds }: Contestants,
  { title, protocol = 'ISCSI', connect, properties, multipath, goals, floor }: Comparison,
): Promise<void> {
  const times = { ours: samples(), theirs: samples(), floor: samples() }
  const steps: Each<Record<string, number>[]> = { connect: [], disconnect: [] }
  let collected: Record<string, number> = {}
  const collect = (message: unknown): void => {
    const { step, milliseconds } = message as StepMessage
    collected[step] = (collected[step] ?? 0) + milliseconds
  }
  subscribe('hostbrick:step', collect)
  const timed = async <T>(call: Call, run: () => Promise<T>): Promise<T> => {
    collected = {}
    const start = performance.now()
    const value = await run()
    times.ours[call].push(performance.now() - start)
    steps[call].push(collected)
    await settled()
    return value
  }

  for (let round = 0; round <= rounds; round++) {
    const info = await timed('connect', connect)
    await timed('disconnect', () => connector.disconnectVolume(properties, info))

    const theirConnect = await osBrick.connect(protocol, properties, { multipath })
    await settled()
    const theirDisconnect = await osBrick.disconnect(protocol, properties, theirConnect.info, { multipath })
    await settled()
    times.theirs.connect.push(theirConnect.milliseconds)
    times.theirs.disconnect.push(theirDisconnect.milliseconds)

    const least = await floor?.measure()
    for (const call of calls) times.floor[call].push(least?.[call] ?? Number.NaN)
  }

  unsubscribe('hostbrick:step', collect)
  const heading = [`${title} (ms)`, 'hostbrick', 'os-brick', 'ratio', ...(floor ? ['the kernel', 'ratio'] : [])]
  const rows = calls.map((call) => {
    const middle = (of: Each<number[]>): number => median(of[call].slice(1))
    const [ours, theirs, least] = [middle(times.ours), middle(times.theirs), middle(times.floor)]
    const [faster, slower] = [theirs / ours, ours / least]
    expect(`${title}: ${call} at least ${goals[call]}x faster than os-brick`, faster >= goals[call])
    const row = [call, ours.toFixed(0), theirs.toFixed(0), `${faster.toFixed(2)}x`]
    if (!floor) return row
    expect(`${title}: ${call} at most ${floor.limits[call]}x what the kernel takes`, slower <= floor.limits[call])
    return [...row, least.toFixed(0), `${slower.toFixed(2)}x`]
  })
  console.log(`\n${table([heading, ...rows])}`)
  for (const call of calls) {
    const medians = Object.entries(mediansByKey(steps[call].slice(1))).map(([step, value]) => [step, value.toFixed(1)])
    console.log(`\n${table([[`${call}, step`, 'ms'], ...medians])}`)
  }
}

function samples(): Each<number[]> {
  return { connect: [], disconnect: [] }
}

const missed: string[] = []

export function expect(goal: string, reached: boolean): void {
  if (!reached) missed.push(goal)
}

/** Says which goals were missed; with any the process ends with a status other than 0. */
export function reportMissed(): void {
  for (const goal of missed) console.log(`missed: ${goal}`)
  process.exitCode = missed.length > 0 ? 1 : 0
}
