import { BrickError } from '../errors.ts'
import { run } from './run.ts'

// SDSHypervisor has no other interface for a host. It is known by how OpenStack uses it: os-brick, huawei.py.

const pathVariable = 'HUAWEISDSHYPERVISORCLI_PATH'
const defaultPath = '/usr/local/bin/sds/sds_cli'

const success = 0
/** What an attach says when there is nothing left to do: the volume is attached, or its mount node is recorded. */
const attachedAlready = [50151401, 50151405]
/** What a detach says when there is nothing left to do: the volume is not on this node, or its service is out of order. */
const detachedAlready = [50155007, 50151209]

export function sdsCliPath(): string {
  return process.env[pathVariable] ?? defaultPath
}

type Verb = 'attach' | 'detach' | 'querydev'

interface Answer {
  readonly code: number
  readonly description: string | undefined
  readonly device: string | undefined
}

/** Attaches the volume. Returns whether it was not attached before. @throws BrickError NOT_SUPPORTED, TOOL_FAILED */
export async function attach(volume: string, signal: AbortSignal): Promise<boolean> {
  const answer = await ask('attach', volume, signal)
  if (answer.code !== success && !attachedAlready.includes(answer.code)) throw refusal('attach', volume, answer)
  return answer.code === success
}

/** Detaches the volume. One that is not attached is fine. @throws BrickError NOT_SUPPORTED, TOOL_FAILED */
export async function detach(volume: string, signal: AbortSignal): Promise<void> {
  const answer = await ask('detach', volume, signal)
  if (answer.code !== success && !detachedAlready.includes(answer.code)) throw refusal('detach', volume, answer)
}

/**
 * The device node of a volume; undefined when it is not attached, for which any code but 0 is taken: what they all mean
 * is not documented, and os-brick takes them so.
 *
 * @throws BrickError NOT_SUPPORTED, TOOL_FAILED
 */
export async function findDevice(volume: string, signal: AbortSignal): Promise<string | undefined> {
  const answer = await ask('querydev', volume, signal)
  if (answer.code !== success) return undefined
  if (answer.device === undefined || answer.device === '') throw refusal('querydev', volume, answer)
  return answer.device
}

async function ask(verb: Verb, volume: string, signal: AbortSignal): Promise<Answer> {
  const program = sdsCliPath()
  const ending = await run(program, ['-c', verb, '-v', volume], signal)
  const answer = parseAnswer(ending.output)
  if (answer !== undefined) return answer
  const { code, error } = ending
  throw new BrickError('TOOL_FAILED', `sds_cli ${verb} ${volume} has given no ret_code: ${error.trim()}`, {
    details: { program, verb, volume, status: code, error: error.trim() },
  })
}

/** Reads lines of 'key=value'; undefined without a return code. */
export function parseAnswer(output: string): Answer | undefined {
  const values = new Map(
    output.split('\n').flatMap((line) => {
      const [, key, value] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
      return key === undefined || value === undefined ? [] : [[key, value] as const]
    }),
  )
  const code = values.get('ret_code') ?? ''
  if (!/^-?\d+$/.test(code)) return undefined
  return { code: Number(code), description: values.get('ret_desc'), device: values.get('dev_addr') }
}

function refusal(verb: Verb, volume: string, { code, description = '' }: Answer): BrickError {
  return new BrickError('TOOL_FAILED', `sds_cli ${verb} ${volume}: ${code} ${description}`.trimEnd(), {
    details: { verb, volume, code, description },
  })
}
