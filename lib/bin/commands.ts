import type { Command } from './command.ts'
import { attach } from './commands/attach.ts'
import { auditCommand } from './commands/audit.ts'
import { completionOf } from './commands/completion.ts'
import { detach } from './commands/detach.ts'
import { discoverIscsi, discoverNvme } from './commands/discover.ts'
import { doctor } from './commands/doctor.ts'
import { extend } from './commands/extend.ts'
import { ls } from './commands/ls.ts'
import { paths } from './commands/paths.ts'
import { properties } from './commands/properties.ts'
import { watchCommand } from './commands/watch.ts'

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  attach,
  detach,
  extend,
  paths,
  ls,
  watchCommand,
  auditCommand,
  doctor,
  properties,
  discoverIscsi,
  discoverNvme,
  completionOf(() => commands),
]
