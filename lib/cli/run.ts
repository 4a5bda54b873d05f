import { binding, failedWith, finish } from '../binding.ts'
import type { Ending } from '../binding.ts'
import { BrickError } from '../errors.ts'

/**
 * Runs a program without a shell and waits for its end; when the signal fires it is killed with all its children.
 *
 * @throws BrickError NOT_SUPPORTED when there is no such program
 */
export async function run(
  program: string,
  parameters: readonly string[],
  signal: AbortSignal,
  input = '',
): Promise<Ending> {
  try {
    return await finish(
      binding().runProgram({
        arguments: [program, ...parameters],
        // What a program says is to be the same on every host.
        environment: [`PATH=${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, 'LC_ALL=C'],
        input,
      }),
      signal,
    )
  } catch (error) {
    if (!failedWith(error, 'ENOENT')) throw error
    throw new BrickError('NOT_SUPPORTED', `${program} is not installed`, { details: { program }, cause: error })
  }
}
