import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { DeviceInfo, InitiatorConnector, StepMessage } from 'hostbrick'
import type { OsBrick } from './os-brick.ts'
import { settled } from './residue.ts'
import type { Report } from './report.ts'
import { median, mediansByKey } from './statistics.ts'

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
  /** How many times as fast as os-brick hostbrick is to be; 0: no matter. */
  goals: Each<number>
  /** The shortest commands that do the same, as an administrator would type them. */
  byHand?: Each<() => void>
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
  /** After one to warm up, which is enough for programs and for Python. */
  rounds: number
}

/**
 * Rounds by which hostbrick is warmed up: agents that import it live for months, and V8 compiles what has run some times.
 * What the first attach of a process takes is reported as well.
 */
const warmUp = 15

/** Attaches and detaches a volume with hostbrick and the others in turn, and reports the medians and where ours go. */
export async function compareInTurn(
  report: Report,
  { connector, osBrick, rounds }: Contestants,
  { title, protocol = 'ISCSI', connect, properties, multipath, goals, byHand, floor }: Comparison,
): Promise<void> {
  const times = { ours: samples(), theirs: samples(), byHand: samples(), floor: samples() }
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

  const ourRound = async (): Promise<void> => {
    const info = await timed('connect', connect)
    await timed('disconnect', () => connector.disconnectVolume(properties, info))
  }

  for (let round = 0; round < warmUp; round++) await ourRound()
  const [first, firstEnd] = calls.map((call) => times.ours[call][0]?.toFixed(0) ?? '')
  report.line(`${title}: the first of all took ${first} ms to connect and ${firstEnd} ms to disconnect.`)
  for (const of of [times.ours, steps]) for (const call of calls) of[call].length = 0

  for (let round = 0; round <= rounds; round++) {
    await ourRound()
    const theirConnect = await osBrick.connect(protocol, properties, { multipath })
    await settled()
    const theirDisconnect = await osBrick.disconnect(protocol, properties, theirConnect.info, { multipath })
    await settled()
    times.theirs.connect.push(theirConnect.milliseconds)
    times.theirs.disconnect.push(theirDisconnect.milliseconds)

    for (const call of byHand ? calls : []) {
      const start = performance.now()
      byHand?.[call]()
      times.byHand[call].push(performance.now() - start)
      await settled()
    }
    const least = await floor?.measure()
    for (const call of floor ? calls : []) times.floor[call].push(least?.[call] ?? Number.NaN)
  }

  unsubscribe('hostbrick:step', collect)
  const others = [
    ['os-brick', times.theirs],
    ['by hand', times.byHand],
    ['the kernel alone', times.floor],
  ] as const
  const shown = others.filter(([, of]) => of.connect.length > 0)
  const middle = (of: Each<number[]>, call: Call): number => median(of[call].slice(1))
  const rows = calls.map((call) => {
    const ours = middle(times.ours, call)
    const cells = shown.map(([, of]) => `${middle(of, call).toFixed(0)} (${(middle(of, call) / ours).toFixed(2)}x)`)
    return [call, ours.toFixed(0), ...cells]
  })
  report.table(`${title} (ms)`, [['', 'hostbrick', ...shown.map(([name]) => name)], ...rows])
  for (const call of calls) {
    const ours = middle(times.ours, call)
    const ratio = middle(times.theirs, call) / ours
    if (goals[call] > 0) report.goal(`${title}: ${call}, times as fast as os-brick`, ratio, '>=', goals[call])
    if (floor) {
      const share = ours / middle(times.floor, call)
      report.goal(`${title}: ${call}, times what the kernel takes`, share, '<=', floor.limits[call])
    }
    const medians = Object.entries(mediansByKey(steps[call].slice(1))).map(([step, value]) => [step, value.toFixed(1)])
    report.table(`${title}: the steps of a ${call} (ms)`, [['', 'all of this name together'], ...medians])
  }
}

function samples(): Each<number[]> {
  return { connect: [], disconnect: [] }
}
