import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'

const id = '0f6c1c3e-2c0f-4f6e-9a52-6f2d3a1b4c5d'

/** The guest as subsystems know it, once it has its files. */
export const nvmeHost = { id, nqn: `nqn.2014-08.org.nvmexpress:uuid:${id}` }

const files = { '/etc/nvme/hostnqn': nvmeHost.nqn, '/etc/nvme/hostid': nvmeHost.id }

export function writeNvmeHost(): void {
  mkdirSync('/etc/nvme', { recursive: true })
  for (const [path, line] of Object.entries(files)) writeFileSync(path, `${line}\n`)
}

export function removeNvmeHost(): void {
  for (const path of Object.keys(files)) rmSync(path)
}

/** Whoever connected them: for when a test has failed half way. */
export function disconnectAll(): void {
  const folder = '/sys/class/nvme'
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    writeFileSync(`${folder}/${name}/delete_controller`, '1')
  }
}
