import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModules } from './command.ts'

const CONTROL = '/sys/class/fcloop/ctl'

/** Two ports of Fibre Channel that see each other, in software (nvme-fcloop): NVMe only, no SCSI. */
export interface FcLoop {
  /** As NVMe writes them: 'nn-0x…:pn-0x…'. */
  readonly hostPort: string
  readonly targetPort: string
  /** After the controllers and nvmet's port have gone. */
  remove(): void
}

export function fcLoop(): FcLoop {
  loadModules('nvmet_fc', 'nvme_fc', 'nvme_fcloop')
  const [host, target] = [
    ['0x20001100aa000001', '0x20001100ab000001'],
    ['0x20001100aa000002', '0x20001100ab000002'],
  ] as const
  const names = ([node, port]: readonly [string, string]): string => `wwnn=${node},wwpn=${port}`
  const write = (file: string, text: string): void => {
    writeFileSync(join(CONTROL, file), text)
  }
  write('add_local_port', names(host))
  write('add_target_port', names(target))
  // Its roles: a target, and discovery. Without them connects fail with EBADR.
  write('add_remote_port', `${names(target)},lpwwnn=${host[0]},lpwwpn=${host[1]},roles=0x60`)
  return {
    hostPort: `nn-${host[0]}:pn-${host[1]}`,
    targetPort: `nn-${target[0]}:pn-${target[1]}`,
    remove() {
      // In this order: with the remote port the target port would be forgotten.
      write('del_target_port', names(target))
      write('del_remote_port', names(target))
      write('del_local_port', names(host))
    },
  }
}
