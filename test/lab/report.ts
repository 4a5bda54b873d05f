import { readFileSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'
import { plot } from './plot.ts'
import { median, percentile, table } from './statistics.ts'

/** The times of each contender, by the number of devices. */
export type Comparison = ReadonlyMap<number, ReadonlyMap<string, readonly number[]>>

interface Goal {
  readonly goal: string
  readonly value: number
  readonly sign: '<=' | '>='
  readonly bound: number
}

/**
 * What a benchmark has found, as a page and plots. They leave the guest, which can write nothing, in its output:
 * `test/lab/run.sh --bench` takes them from there to build/bench.
 */
export class Report {
  readonly #name: string
  readonly #parts: string[]
  readonly #goals: Goal[] = []
  #plots = 0

  constructor(name: string, title: string) {
    this.#name = name
    const [cpu] = cpus()
    const { version } = JSON.parse(readFileSync('/share/package.json', 'utf8')) as { version: string }
    this.#parts = [
      `# ${title}`,
      `hostbrick ${version}, Node.js ${process.version}, kernel ${release()}, ${arch()}, ${cpus().length} CPUs (${cpu?.model ?? ''}), ${(totalmem() / 2 ** 30).toFixed(1)} GiB of memory.`,
      'All in one boot, each in turn; medians, and in brackets the 99th percentile, which of few rounds is the longest.',
      'Under emulation, where the processor is QEMU (TCG), starting a process and entering the kernel take many times what they do on hardware, relative to the rest, and times scatter more: ratios against programs, which include their start, are smaller there.',
    ]
  }

  line(text: string): void {
    console.log(text)
    this.#parts.push(text)
  }

  table(title: string, rows: readonly (readonly string[])[]): void {
    console.log(`\n${title}\n${table(rows)}`)
    const [head = [], ...body] = rows
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
    this.#parts.push(
      `## ${title}`,
      [line(head), line(head.map((_, column) => (column ? '---:' : '---'))), ...body.map(line)].join('\n'),
    )
  }

  comparison(title: string, unit: string, results: Comparison): void {
    const counts = [...results.keys()]
    const names = [...new Set(counts.flatMap((count) => [...(results.get(count)?.keys() ?? [])]))]
    const cell = (count: number, name: string): string => {
      const times = results.get(count)?.get(name) ?? []
      return times.length === 0 ? '–' : `${format(median(times))} (${format(percentile(times, 0.99))})`
    }
    this.table(title, [
      ['', ...counts.map((count) => `${count} ${unit}`)],
      ...names.map((name) => [name, ...counts.map((count) => cell(count, name))]),
    ])
    if (counts.length < 2) return
    const series = names.map((name) => ({
      name,
      points: counts.flatMap((count) => {
        const times = results.get(count)?.get(name) ?? []
        return times.length === 0 ? [] : [[count, median(times)] as const]
      }),
    }))
    const file = `${this.#name}-${++this.#plots}.svg`
    hand(
      file,
      plot(
        title,
        unit,
        'ms',
        series.filter(({ points }) => points.length > 0),
      ),
    )
    this.#parts.push(`![${title}](${file})`)
  }

  goal(goal: string, value: number, sign: '<=' | '>=', bound: number): void {
    this.#goals.push({ goal, value, sign, bound })
  }

  /** Hands the page over, and returns the exit status: other than 0 when a goal is missed. */
  finish(): number {
    const isMet = ({ value, sign, bound }: Goal): boolean => (sign === '<=' ? value <= bound : value >= bound)
    const rows = this.#goals.map((goal) => [
      goal.goal,
      format(goal.value),
      `${goal.sign} ${format(goal.bound)}`,
      isMet(goal) ? 'yes' : 'no',
    ])
    this.table('Goals', [['', 'measured', 'goal', 'met'], ...rows])
    hand(`${this.#name}.md`, `${this.#parts.join('\n\n')}\n`)
    return this.#goals.every(isMet) ? 0 : 1
  }
}

function format(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)
}

function hand(file: string, content: string): void {
  console.log(`<<<< ${file}\n${content.trimEnd()}\n>>>>`)
}
