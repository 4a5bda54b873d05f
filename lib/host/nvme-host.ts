import { BrickError, invalid } from '../errors.ts'
import { readFile, readFiles, textOf } from '../files.ts'
import { nvmeName, uuidText } from '../nvme/names.ts'

export const nqnPath = '/etc/nvme/hostnqn'
export const idPath = '/etc/nvme/hostid'

/** Who this host is to NVMe subsystems. The kernel refuses one name with two ids, and one id with two names. */
export interface NvmeHost {
  readonly nqn: string
  /** A UUID. */
  readonly id: string
}

/**
 * The host that is named, or this host's own identity as nvme-cli has it. An id that is not named is the one that is
 * part of the name, or this host's own if the name is.
 *
 * @throws BrickError INVALID_ARGUMENT; NOT_SUPPORTED when this host has no name
 */
export async function nvmeHost(
  { hostNqn, hostId }: { readonly hostNqn?: string | undefined; readonly hostId?: string | undefined },
  signal: AbortSignal,
): Promise<NvmeHost> {
  const givenNqn = hostNqn === undefined ? undefined : nvmeName(hostNqn, 'hostNqn')
  const givenId = hostId === undefined ? undefined : uuidText(hostId, 'hostId')
  if (givenNqn !== undefined && givenId !== undefined) return { nqn: givenNqn, id: givenId }
  const { nqn: ownNqn, id: ownHostId } = await notedHost(signal)
  const nqn = givenNqn ?? (ownNqn === undefined ? undefined : nvmeName(ownNqn, nqnPath))
  if (nqn === undefined) {
    throw new BrickError('NOT_SUPPORTED', `this host has no NVMe name in ${nqnPath}: ensureHostIdentity() makes one`, {
      details: { path: nqnPath },
    })
  }
  const ownId = nqn === ownNqn ? ownHostId : undefined
  const id = givenId ?? (ownId === undefined ? undefined : uuidText(ownId, idPath)) ?? idInName(nqn)
  if (id === undefined) throw invalid('hostId', `the UUID that goes with the host ${nqn}`, hostId)
  return { nqn, id }
}

/** The UUID that is a part of most names (NVM Express Base Specification 2.0, 4.5). */
export function idInName(nqn: string): string | undefined {
  return /^nqn\.2014-08\.org\.nvmexpress:uuid:([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/i
    .exec(nqn)?.[1]
    ?.toLowerCase()
}

/** What this host's files say, whatever it is. */
export async function notedHost(signal: AbortSignal): Promise<{ nqn: string | undefined; id: string | undefined }> {
  const files = await readFiles('files', { nqn: nqnPath, id: idPath }, signal)
  return { nqn: firstLineOf(textOf(files.nqn) ?? ''), id: firstLineOf(textOf(files.id) ?? '') }
}

export async function firstLine(path: string, signal: AbortSignal): Promise<string | undefined> {
  const text = await readFile('files', path, signal)
  return text && firstLineOf(text.toString())
}

/** As libnvme reads these files: what comes after their first line does not count. */
export function firstLineOf(text: string): string | undefined {
  const line = text.split('\n')[0]?.trim()
  return line === '' ? undefined : line
}
