import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { run } from './command.ts'
import { until } from './wait.ts'

const HOSTS = '/sys/bus/pseudo/drivers/scsi_debug/add_host'
const RULES = '/run/udev/rules.d'

/**
 * SCSI disks that the kernel makes up (scsi_debug): one host with as many LUNs. They take udevd's ordinary rules half a
 * second each under emulation, so `quietUdev` comes first where there are many.
 */
export async function scsiDebug(luns: number): Promise<void> {
  run('modprobe', 'sd_mod')
  const others = disks().length
  run('modprobe', 'scsi_debug', 'num_tgts=1', `max_luns=${luns}`, 'dev_size_mb=8', 'delay=0')
  await until(`${luns} disks`, () => disks().length >= others + luns, 300_000)
}

export async function removeScsiDebug(): Promise<void> {
  if (!existsSync(HOSTS)) return
  writeFileSync(HOSTS, '-1')
  await until('scsi_debug is unloaded', isUnloaded, 300_000)
}

/** While udevd has a disk open the module stays. */
function isUnloaded(): boolean {
  try {
    run('modprobe', '--remove', 'scsi_debug')
    return true
  } catch {
    return false
  }
}

function disks(): string[] {
  return readdirSync('/sys/class/block').filter((name) => name.startsWith('sd'))
}

/** The names of its disks. */
export function scsiDebugDisks(): string[] {
  return disks().filter((name) => {
    try {
      return readFileSync(`/sys/class/block/${name}/device/model`, 'utf8').startsWith('scsi_debug')
    } catch {
      return false // gone meanwhile
    }
  })
}

/** Leaves udevd no rule but for one that notes each disk's identity and makes its link, without starting a process. */
export function quietUdev(): void {
  mkdirSync(RULES, { recursive: true })
  for (const rules of readdirSync('/usr/lib/udev/rules.d')) {
    // dmsetup waits for those of device-mapper.
    if (!rules.includes('-dm') && !existsSync(`${RULES}/${rules}`)) symlinkSync('/dev/null', `${RULES}/${rules}`)
  }
  const rule = [
    'SUBSYSTEM=="block"',
    'ENV{DEVTYPE}=="disk"',
    'ATTRS{wwid}=="?*"',
    'ENV{ID_SERIAL}="$attr{wwid}"',
    'SYMLINK+="disk/by-id/scsi-$attr{wwid}"',
  ]
  writeFileSync(`${RULES}/10-lab.rules`, `${rule.join(', ')}\n`)
  run('udevadm', 'control', '--reload')
}

export function restoreUdev(): void {
  rmSync(RULES, { recursive: true })
  run('udevadm', 'control', '--reload')
}
