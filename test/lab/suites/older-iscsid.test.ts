/** Suite `iscsid`, with Debian 12's open-iscsi in the place of the installed one. */
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { run } from '../command.ts'

/** Where test/lab/setup.sh has unpacked it, and what it takes the place of. */
const OLDER = '/opt/open-iscsi'
const LIBRARY = run('sh', '-c', `cd ${OLDER} && ls -d usr/lib/*/libopeniscsiusr.so.0.*`).trim()
const FILES = [
  ['sbin/iscsid', '/usr/sbin/iscsid'],
  ['sbin/iscsiadm', '/usr/sbin/iscsiadm'],
  [LIBRARY, run('readlink', '--canonicalize', `/${LIBRARY.replace(/\.so\.0.*/, '.so.0')}`).trim()],
] as const
/** Its database is another one. Which of two is in use would not be clear: the installed one's is hidden. */
const DATABASE = '/var/lib/iscsi'

for (const [file, place] of FILES) {
  run('mv', place, `${place}.installed`)
  run('cp', `${OLDER}/${file}`, place)
}
run('mkdir', '-p', DATABASE)
run('mount', '-t', 'tmpfs', 'none', DATABASE)
after(() => {
  run('rm', '-rf', '/etc/iscsi/nodes', '/etc/iscsi/ifaces', '/etc/iscsi/send_targets')
  run('umount', DATABASE)
  for (const [, place] of FILES) run('mv', `${place}.installed`, place)
})

assert.match(run('iscsid', '--version'), /version 2\.1\.8$/m)
await import('./iscsid.test.ts')
