import { randomUUID } from 'node:crypto'
import { constants } from 'node:os'
import { basename } from 'node:path'
import { binding, finish } from '../binding.ts'
import type { FileOperation } from '../binding.ts'
import { slavesOf } from '../block/relations.ts'
import { BrickError } from '../errors.ts'
import { listDirectory, resolvePath } from '../files.ts'
import { isLink, linkFolder, linkTo, originalPath } from './link-name.ts'

const { EEXIST, ENOENT } = constants.errno

/**
 * The link by which an encrypted volume is handed out. One that leads to what is built upon the device is left as it is:
 * somebody has opened the volume.
 */
export async function makeLink(path: string, signal: AbortSignal): Promise<string> {
  const link = linkTo(path)
  const device = await resolvePath(path, signal)
  if (device === undefined) throw new BrickError('DEVICE_NOT_FOUND', `${path} has gone`, { details: { device: path } })
  const current = await resolvePath(link, signal)
  const isOpened = current !== undefined && (await slavesOf(basename(current), signal)).includes(basename(device))
  if (current !== device && !isOpened) await pointLink(link, device, signal)
  return link
}

/** Makes a link lead to a device, whatever it led to before; nobody ever sees it missing. */
export async function pointLink(link: string, target: string, signal: AbortSignal): Promise<void> {
  const made = `${link}.${randomUUID()}`
  const folders = ['/dev/disk', linkFolder].map(
    (path) => ({ verb: 'makeDirectory', path, mode: 0o755, unless: [EEXIST] }) as const,
  )
  try {
    await change(
      [...folders, { verb: 'symbolicLink', target, path: made }, { verb: 'rename', from: made, to: link }],
      signal,
    )
  } finally {
    await removeLinks([made], new AbortController().signal)
  }
}

export async function removeLinks(links: readonly string[], signal: AbortSignal): Promise<void> {
  await change(
    links.map((path) => ({ verb: 'unlink', path, unless: [ENOENT] }) as const),
    signal,
  )
}

/** The links that were made for these disks, or for what is built upon them. */
export async function linksOf(paths: readonly string[], signal: AbortSignal): Promise<string[]> {
  const disks = paths.map((path) => basename(path))
  const links = ((await listDirectory(linkFolder, signal)) ?? []).map((name) => `${linkFolder}/${name}`).filter(isLink)
  const found = await Promise.all(
    links.map(async (link) => {
      const device = await resolvePath(originalPath(link), signal)
      if (device === undefined) return []
      const name = basename(device)
      const names = [name, ...(await slavesOf(name, signal))]
      return names.some((name) => disks.includes(name)) ? [link] : []
    }),
  )
  return found.flat()
}

function change(operations: readonly FileOperation[], signal: AbortSignal): Promise<void> {
  return finish(binding().changeFiles('files', operations), signal)
}
