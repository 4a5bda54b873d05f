import { BrickError } from '../errors.ts'
import { run } from './run.ts'

/** What a mirror is made with; what os-brick makes, so that either can assemble the other's. */
export interface NewMirror {
  /** Where it is to be found, and its name in what is written to its legs. */
  readonly path: string
  readonly name: string
  readonly legs: readonly string[]
}

/** Writes a mirror's superblocks to its legs, whatever is there now, and starts it. */
export async function createMirror({ path, name, legs }: NewMirror, signal: AbortSignal): Promise<void> {
  await mdadm(
    [
      ...['--create', path, '--run', '--name', name, '--homehost', 'any', '--metadata', '1.2', '--level', '1'],
      // The legs are blank: they need not be copied. After a failure the bitmap says what has to be.
      ...['--assume-clean', '--bitmap', 'internal', '--failfast', '--raid-devices', String(legs.length), ...legs],
    ],
    signal,
  )
}

/** Starts a mirror from these legs, also when others are missing. Legs that udev has begun to assemble are taken over. */
export async function assembleMirror(path: string, legs: readonly string[], signal: AbortSignal): Promise<void> {
  await mdadm(['--assemble', '--run', path, ...legs], signal)
}

/** Takes back a leg that the mirror has lost; what it has missed is copied, of which the bitmap knows. */
export async function takeBackLeg(array: string, leg: string, signal: AbortSignal): Promise<void> {
  await mdadm(['--manage', array, '--re-add', leg], signal)
}

/** Grows a mirror to the size of its smallest leg. */
export async function growMirror(array: string, signal: AbortSignal): Promise<void> {
  await mdadm(['--grow', array, '--size', 'max'], signal)
}

/** Stops an array and removes its device. Its legs keep what says that they are its legs. */
export async function stopArray(array: string, signal: AbortSignal): Promise<void> {
  await mdadm(['--stop', array], signal)
}

async function mdadm(parameters: readonly string[], signal: AbortSignal): Promise<void> {
  const { code, error } = await run('mdadm', parameters, signal)
  if (code === 0) return
  throw new BrickError('TOOL_FAILED', `mdadm: ${error.trim()}`, { details: { program: 'mdadm', parameters, code } })
}
