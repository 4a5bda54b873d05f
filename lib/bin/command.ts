import type { CallOptions } from '../operation.ts'

/** An option that is there or not. */
interface Flag {
  readonly type: 'boolean'
  readonly means: string
}

/** An option with a value. */
interface Setting {
  readonly type: 'string'
  /** What the value is called in the help. */
  readonly value: string
  /** All values that there are, where they are few. */
  readonly choices?: readonly string[]
  readonly means: string
}

export type Option = Flag | Setting
export type Options = Readonly<Record<string, Option>>

type Values<Known extends Options> = {
  readonly [Name in keyof Known]?: { boolean: boolean; string: string }[Known[Name]['type']]
}

/** A word of the command line that is no option. */
export interface Operand {
  readonly name: string
  readonly means: string
  readonly choices?: readonly string[]
  /** Any number of them may be given, none included. */
  readonly repeated?: boolean
}

/** How a command was called. */
export interface Invocation<Known extends Options> {
  readonly options: Values<Known>
  readonly operands: readonly string[]
  /** For every call of hostbrick that the command makes. */
  readonly limits: CallOptions & { readonly signal: AbortSignal }
}

/** What a command has to say: `json` with --json, `text` without. */
export interface Answer {
  readonly json: unknown
  readonly text: string
  /** The exit status; 0 when left out. */
  readonly status?: number
}

export interface Example {
  readonly command: string
  readonly means: string
}

/** All that there is to know of a command: its help, its page in the manual and its completion are made of this. */
export interface Command<Known extends Options = Options> {
  /** One word or two. */
  readonly name: string
  readonly summary: string
  readonly operands?: readonly Operand[]
  /** What it reads from standard input. */
  readonly input?: string
  readonly options?: Known
  /** Paragraphs. */
  readonly description: readonly string[]
  readonly examples: readonly Example[]
  /** Several answers are told as they come, each on a line of its own. */
  run(invocation: Invocation<Known>): Promise<Answer> | AsyncIterable<Answer>
}

/** As it is, with the types of its options' values. */
export function command<const Known extends Options>(definition: Command<Known>): Command<Known> {
  return definition
}

/** What every command takes. */
export const commonOptions = {
  json: { type: 'boolean', means: 'print one JSON document, for programs; a failure too, as { "error": … }' },
  timeout: { type: 'string', value: 'SECONDS', means: 'give up after this time, undoing what was done; by default 60' },
  help: { type: 'boolean', means: 'show this help' },
} as const satisfies Options
