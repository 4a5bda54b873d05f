/** A line of /proc/self/mountinfo. */
export interface Mount {
  /** 'major:minor' of what files in it say; of a device of its own making, such as Btrfs', major is 0. */
  readonly devno: string
  /** Where it is mounted. */
  readonly path: string
  readonly readOnly: boolean
  /** 'ext4', 'overlay' and so on. */
  readonly type: string
  /** What is mounted: a device node for most types that have one. */
  readonly source: string
}

/** This process's mounts in the order in which they were made: proc_pid_mountinfo(5). */
export function parseMounts(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    // Blanks within a field are written as numbers.
    const [place = '', what = ''] = line.split(' - ')
    const [, , devno, , path, options] = place.split(' ')
    const [type, source, superOptions] = what.split(' ')
    if (devno === undefined || path === undefined || type === undefined || source === undefined) return []
    const readOnly = [options, superOptions].some((each) => each?.split(',').includes('ro'))
    return [{ devno, path: unescape(path), readOnly, type, source: unescape(source) }]
  })
}

/** The mount that is the root of this process: the last one there, which hides those before it. */
export function rootMount(mountinfo: string): Mount | undefined {
  const lines = mountinfo.match(/^\S+ \S+ \S+ \S+ \/ .+$/gm)
  return parseMounts(lines?.at(-1) ?? '')[0]
}

/** The mount that a path is on; undefined when the list is not that of a process. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  const above = mounts.filter((mount) => `${path}/`.startsWith(mount.path === '/' ? '/' : `${mount.path}/`))
  // Of two at one place the later one hides the earlier one.
  return above.reduce<Mount | undefined>(
    (best, mount) => (best === undefined || mount.path.length >= best.path.length ? mount : best),
    undefined,
  )
}

/** mangle() in fs/seq_file.c writes blanks, tabs, newlines, backslashes and hashes as octal numbers. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))
}
