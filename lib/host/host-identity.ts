import { randomUUID } from 'node:crypto'
import { constants } from 'node:os'
import { binding, finish } from '../binding.ts'
import type { FileOperation } from '../binding.ts'
import { readFile } from '../files.ts'
import { lock } from '../lock.ts'
import { nvmeName, uuidText } from '../nvme/names.ts'
import { Operation } from '../operation.ts'
import type { CallOptions } from '../operation.ts'
import { firstLine, idInName, idPath, notedHost, nqnPath } from './nvme-host.ts'
import type { NvmeHost } from './nvme-host.ts'
import { systemUuid } from './system-uuid.ts'

const { EEXIST, ENOENT } = constants.errno

/**
 * This host's NVMe name and id, which are made if it has none: as nvme-cli would make them, from the machine's own UUID, so
 * that whoever makes them makes the same. A file that names something is never changed, and of several programs that
 * do this at once all get what the first has made. Nothing else in hostbrick writes these files.
 *
 * @throws BrickError INVALID_ARGUMENT when a file holds something else than a name or an id; PERMISSION_DENIED, SYSTEM
 */
export async function ensureHostIdentity(options: CallOptions = {}): Promise<NvmeHost> {
  using operation = new Operation('ensureHostIdentity', options)
  using _identity = await operation.step('lock', (signal) => lock('nvme host', signal))
  const found = await operation.step('read', notedHost)
  const make = async (signal: AbortSignal): Promise<string> => (await systemUuid('', signal)) ?? randomUUID()
  const nqn =
    found.nqn ??
    (await operation.step('name', async (signal) => {
      const id = found.id === undefined ? await make(signal) : uuidText(found.id, idPath)
      return await publish(nqnPath, `nqn.2014-08.org.nvmexpress:uuid:${id}`, signal)
    }))
  nvmeName(nqn, nqnPath)
  // One name goes with one id: the one that is part of it, if any.
  const id =
    found.id ??
    (await operation.step('id', async (signal) => publish(idPath, idInName(nqn) ?? (await make(signal)), signal)))
  return { nqn, id: uuidText(id, idPath) }
}

/** Makes the file with this line, whole or not at all, unless another program was faster. Returns what it then says. */
async function publish(path: string, line: string, signal: AbortSignal): Promise<string> {
  const made = `${path}.${randomUUID()}`
  const isEmpty = (await readFile('files', path, signal)) !== undefined
  try {
    await change(signal, [
      { verb: 'makeDirectory', path: '/etc/nvme', mode: 0o755, unless: [EEXIST] },
      // After a crash it is whole as well: a host that got another name would lose its volumes.
      { verb: 'createFile', path: made, content: `${line}\n`, mode: 0o644, durable: true },
      // An empty one is what a failed attempt, or the maker of an image, has left.
      isEmpty ? { verb: 'rename', from: made, to: path } : { verb: 'link', from: made, to: path, unless: [EEXIST] },
    ])
  } finally {
    await change(new AbortController().signal, [{ verb: 'unlink', path: made, unless: [ENOENT] }])
  }
  return (await firstLine(path, signal)) ?? line
}

function change(signal: AbortSignal, operations: readonly FileOperation[]): Promise<void> {
  return finish(binding().changeFiles('files', operations), signal)
}
