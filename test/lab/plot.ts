/** A line of a plot. */
export interface Series {
  readonly name: string
  /** Each x with its y; both above 0. */
  readonly points: readonly (readonly [number, number])[]
}

const [width, height, left, right, top, bottom] = [860, 480, 70, 190, 40, 50]
const colours = [
  '#0b6e4f',
  '#c1121f',
  '#1d4ed8',
  '#b45309',
  '#6d28d9',
  '#475569',
  '#be185d',
  '#0891b2',
  '#65a30d',
  '#0f172a',
]

/** An SVG with both axes logarithmic. */
export function plot(title: string, x: string, y: string, series: readonly Series[]): string {
  const points = series.flatMap((line) => line.points)
  const acrossOf = scale(
    points.map(([at]) => at),
    left,
    width - right,
  )
  const upOf = scale(
    points.map(([, value]) => value),
    height - bottom,
    top,
  )
  const grid = [
    ...acrossOf.ticks.map((tick) => {
      const at = acrossOf.place(tick)
      return `<path d="M${at} ${top}V${height - bottom}" stroke="#ddd"/>${label(at, height - bottom + 18, number(tick), 'middle')}`
    }),
    ...upOf.ticks.map((tick) => {
      const at = upOf.place(tick)
      return `<path d="M${left} ${at}H${width - right}" stroke="#ddd"/>${label(left - 8, at + 4, number(tick), 'end')}`
    }),
  ]
  // Names beside the ends of their lines, pushed apart where these are close.
  let lowest = -Infinity
  const ends = series
    .map((line, index) => ({
      line,
      colour: colours[index % colours.length] ?? '',
      end: upOf.place(line.points.at(-1)?.[1] ?? 1),
    }))
    .sort((one, other) => one.end - other.end)
    .map((each) => ({ ...each, at: (lowest = Math.max(each.end + 4, lowest + 16)) }))
  const lines = ends.map(({ line, colour, at }) => {
    const path = line.points.map(
      ([across, up], index) => `${index ? 'L' : 'M'}${acrossOf.place(across)} ${upOf.place(up)}`,
    )
    const dots = line.points.map(
      ([across, up]) => `<circle cx="${acrossOf.place(across)}" cy="${upOf.place(up)}" r="3" fill="${colour}"/>`,
    )
    const name = label(width - right + 10, at, line.name, 'start', colour)
    return `<path d="${path.join('')}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}${name}`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    label(left, 22, title, 'start', '#111', 15),
    ...grid,
    ...lines,
    label((left + width - right) / 2, height - 10, x, 'middle'),
    label(14, top - 10, y, 'start'),
    '</svg>',
  ].join('\n')
}

function scale(
  values: readonly number[],
  from: number,
  to: number,
): { ticks: number[]; place: (value: number) => number } {
  const [low, high] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))]
  const ticks = Array.from({ length: high - low + 1 }, (_, step) => 10 ** (low + step))
  const place = (value: number): number =>
    Math.round(from + ((Math.log10(value) - low) / Math.max(high - low, 1)) * (to - from))
  return { ticks, place }
}

function label(x: number, y: number, text: string, anchor: string, colour = '#333', size = 12): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${colour}" font-size="${size}">${text}</text>`
}

function number(value: number): string {
  return value >= 1 ? value.toLocaleString('en') : String(value)
}
