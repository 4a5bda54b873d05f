/** terminal.mjs COMMAND [ARGUMENT...]: runs it on a terminal of its own, and passes on what it writes there. */
import { spawnSync } from 'node:child_process'

const quoted = process.argv.slice(2).map((word) => `'${word.replaceAll("'", "'\\''")}'`)
spawnSync('script', ['--quiet', '--return', '--command', quoted.join(' '), '/dev/null'], {
  stdio: ['pipe', 'inherit', 'inherit'],
})
