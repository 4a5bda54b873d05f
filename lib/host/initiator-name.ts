import { BrickError } from '../errors.ts'
import { readFile } from '../files.ts'

export const initiatorNamePath = '/etc/iscsi/initiatorname.iscsi'

/** This host's iSCSI name. @throws BrickError NOT_SUPPORTED when it has none */
export async function initiatorName(signal: AbortSignal): Promise<string> {
  const text = await readFile('files', initiatorNamePath, signal)
  const name = parseInitiatorName(text?.toString() ?? '')
  if (name !== undefined) return name
  throw new BrickError('NOT_SUPPORTED', `this host has no iSCSI initiator name in ${initiatorNamePath}`, {
    details: { path: initiatorNamePath },
  })
}

/** What open-iscsi's file says; undefined when it names none. */
export function parseInitiatorName(text: string): string | undefined {
  return /^[^\S\n]*InitiatorName[^\S\n]*=[^\S\n]*(\S+)/m.exec(text)?.[1]
}
