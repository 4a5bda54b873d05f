import { readdirSync, readFileSync } from 'node:fs'

/** A fenced block of a document. */
export interface CodeBlock {
  /** 'README.md', 'docs/csi.md' */
  readonly document: string
  readonly line: number
  readonly language: string
  /**
   * What is said of it after the language: 'compiled', TypeScript that is compiled and not run; 'elsewhere', commands that
   * CI runs by other means; 'container', a container's that the lab makes itself. Readers do not get to see it.
   */
  readonly mark: string
  readonly code: string
}

/** What examples take for granted: the suite `documents` has it for them. */
export const given = `
  /** Connection properties of an iSCSI volume, flat. */
  declare const properties: Readonly<Record<string, unknown>>
  /** The same as Cinder hands them out. */
  declare const connectionInfo: { readonly driver_volume_type: string; readonly data: Readonly<Record<string, unknown>> }
  /** Connection properties of an NVMe volume. */
  declare const nvmeProperties: Readonly<Record<string, unknown>>
  /** A passphrase. */
  declare const key: string
  declare const signal: AbortSignal
`

/** The README and the guides of a repository. */
export function documents(root: string): string[] {
  const guides = readdirSync(`${root}/docs`).filter((name) => name.endsWith('.md'))
  return ['README.md', ...guides.sort().map((name) => `docs/${name}`)]
}

export function codeBlocks(root: string, document: string): CodeBlock[] {
  const text = readFileSync(`${root}/${document}`, 'utf8')
  return [...text.matchAll(/^```(\w*)(?: ([^\n]*))?\n(.*?)^```$/gms)].map(
    ({ index, 1: language = '', 2: mark = '', 3: code = '' }) => ({
      document,
      line: text.slice(0, index).split('\n').length,
      language,
      mark,
      code,
    }),
  )
}

export function placeOf({ document, line }: CodeBlock): string {
  return `${document}:${line}`
}
