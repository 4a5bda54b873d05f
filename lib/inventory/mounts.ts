/** Something that is mounted, in the mount namespace of this process. */
export interface Mount {
  /** 'major:minor' of the device; of file systems that are on several, such as btrfs, a number of the kernel's own. */
  readonly devno: string
  /** Where. */
  readonly path: string
  /** 'ext4' and so on. */
  readonly type: string
  /** What was given as the device; null for file systems that have none. */
  readonly source: string | null
}

/** Parses /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export function parseMounts(text: string): Mount[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ')
      // Optional fields are ended by a dash.
      const end = fields.indexOf('-', 6)
      const [, , devno = '', , path = ''] = fields
      const [type = '', source = 'none'] = fields.slice(end + 1)
      return { devno, path: unescape(path), type, source: source === 'none' ? null : unescape(source) }
    })
}

/** Blanks and backslashes are octal there (mangle in fs/proc_namespace.c). */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
