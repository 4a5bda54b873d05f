import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Everything on this host that an attach could leave behind, one readable line each. */
export type Snapshot = ReadonlySet<string>

/** Upstream's place, and the one where Debian keeps the records since version 13. */
const ISCSI_DATABASES = ['/etc/iscsi', '/var/lib/iscsi']

export function snapshot(): Snapshot {
  return new Set([
    ...entries('/sys/class/block')
      .filter((name) => /^(sd|nvme|md)/.test(name))
      .map((name) => `block device ${name}`),
    ...entries('/sys/class/block')
      .filter((name) => name.startsWith('dm-'))
      .map((name) => `device-mapper map ${attribute(name, 'dm/name')} with uuid ${attribute(name, 'dm/uuid')}`),
    ...entries('/sys/class/iscsi_session').map((name) => `iSCSI ${name}`),
    ...entries('/sys/class/nvme').map((name) => `NVMe controller ${name}`),
    ...ISCSI_DATABASES.flatMap((root) => tree(`${root}/nodes`)).map((path) => `node record ${path}`),
    ...ISCSI_DATABASES.flatMap((root) => tree(`${root}/send_targets`)).map((path) => `discovery record ${path}`),
    ...links('/dev/disk/by-id'),
    ...links('/dev/disk/by-path'),
    // `lock` itself stays for good; open-iscsi's database is locked while a second name for it exists.
    ...tree('/run/lock/iscsi')
      .filter((path) => path !== '/run/lock/iscsi/lock')
      .map((path) => `lock file ${path}`),
    ...processes('iscsiadm').map((pid) => `process ${pid} iscsiadm`),
  ])
}

/** What came (+) and what went (-); empty when nothing changed. */
export function difference(before: Snapshot, after: Snapshot): string[] {
  return [
    ...[...after].filter((line) => !before.has(line)).map((line) => `+ ${line}`),
    ...[...before].filter((line) => !after.has(line)).map((line) => `- ${line}`),
  ]
}

/** Fails, naming it, when something that was not there before is there once udev has settled. */
export async function assertNothingLeft(before: Snapshot): Promise<void> {
  await settled()
  assert.deepEqual(difference(before, snapshot()), [], 'something is left behind')
}

/** Links in /dev/disk come and go with udev's rules: waits until udev has dealt with all that happened so far. */
export async function settled(seconds = 180): Promise<void> {
  await promisify(execFile)('udevadm', ['settle', `--timeout=${seconds}`])
}

function entries(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).sort() : []
}

function tree(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { encoding: 'utf8', recursive: true })
    .map((path) => join(directory, path))
    .sort()
}

function links(directory: string): string[] {
  return entries(directory).map((name) => {
    const path = join(directory, name)
    return `link ${path} to ${readlinkSync(path)}`
  })
}

function attribute(device: string, name: string): string {
  return readFileSync(join('/sys/class/block', device, name), 'utf8').trim()
}

function processes(command: string): string[] {
  return entries('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(join('/proc', pid, 'comm'), 'utf8').trim() === command
      } catch {
        return false // ended in the meantime
      }
    })
}
