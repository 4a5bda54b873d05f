import { binding, failedWith, finish } from '../binding.ts'
import { BrickError } from '../errors.ts'

const path = '/etc/iscsi/initiatorname.iscsi'

/** This host's iSCSI name. @throws BrickError NOT_SUPPORTED when it has none */
export async function initiatorName(signal: AbortSignal): Promise<string> {
  const name = await readInitiatorName(signal)
  if (name !== undefined) return name
  throw new BrickError('NOT_SUPPORTED', `this host has no iSCSI initiator name in ${path}`, { details: { path } })
}

/** As above, but undefined where there is none. */
export async function readInitiatorName(signal: AbortSignal): Promise<string | undefined> {
  try {
    const text = await finish(binding().readFile('files', path), signal)
    return /^\s*InitiatorName\s*=\s*(\S+)/m.exec(text.toString())?.[1]
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined
    throw error
  }
}
