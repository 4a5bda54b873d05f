import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { loadModules } from './command.ts'
import { until } from './wait.ts'

export const INITIATOR_NAME = 'iqn.2026-11.lab:host'

const MULTIPATH_CONFIGURATION = `
defaults {
  find_multipaths no
  user_friendly_names no
}
`

export interface Daemon {
  readonly pid: number
  stop(): Promise<void>
}

/** open-iscsi's daemon, under the given initiator name. */
export async function startIscsid(initiatorName = INITIATOR_NAME): Promise<Daemon> {
  loadModules('iscsi_tcp', 'sd_mod', 'sg')
  mkdirSync('/etc/iscsi', { recursive: true })
  writeFileSync('/etc/iscsi/initiatorname.iscsi', `InitiatorName=${initiatorName}\n`)
  return start('iscsid', ['-f'], () => isListening('@ISCSIADM_ABSTRACT_NAMESPACE'))
}

/** multipathd. By default it makes a map of every disk, named by its WWID: the settings that OpenStack asks for. */
export async function startMultipathd(configuration = MULTIPATH_CONFIGURATION): Promise<Daemon> {
  loadModules('dm_multipath', 'dm_service_time', 'dm_round_robin', 'scsi_dh_alua')
  mkdirSync('/etc/multipath', { recursive: true })
  writeFileSync('/etc/multipath.conf', configuration)
  return start('multipathd', ['-d'], () => isListening('@/org/kernel/linux/storage/multipathd'))
}

/** The daemon that shakes hands for the kernel's TLS, with the keys in the kernel's keyring for NVMe. */
export async function startTlshd(): Promise<Daemon> {
  loadModules('tls', 'nvme_keyring')
  return start('tlshd', ['-s'], (pid) => hearsHandshakes(pid))
}

async function start(command: string, args: string[], isReady: (pid: number) => boolean): Promise<Daemon> {
  if (isReady(0)) throw new Error(`another ${command} is running`)

  const logFile = `/run/${command}.log`
  const log = openSync(logFile, 'a')
  // A process group of its own: iscsid, when it ends, sends SIGTERM to everyone in its group.
  const child = spawn(command, args, { stdio: ['ignore', log, log], detached: true })
  closeSync(log)
  const exited = once(child, 'exit')
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} has no process`)

  try {
    await until(`${command} listens`, () => {
      if (child.exitCode !== null) throw new Error(`${command} did not start: ${readFileSync(logFile, 'utf8')}`)
      return isReady(pid)
    })
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }

  return {
    pid,
    async stop() {
      child.kill('SIGTERM')
      const reluctant = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await exited
      clearTimeout(reluctant)
    },
  }
}

/** Both daemons listen on an abstract socket, which /proc/net/unix lists with the flag __SO_ACCEPTCON. */
function isListening(socket: string): boolean {
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .some(([, , , flags, , , , path]) => flags === '00010000' && path === socket)
}

/**
 * Whether the process has subscribed to a group of generic netlink's, as /proc/net/netlink lists it: protocol, port, groups.
 * libnl makes the port of the process's number and 10 bits of its own above.
 */
function hearsHandshakes(process: number): boolean {
  return readFileSync('/proc/net/netlink', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .some(([, protocol, port, groups = '']) => {
      return protocol === '16' && Number(port) % 2 ** 22 === process && /[^0]/.test(groups)
    })
}
