import { execFileSync } from 'node:child_process'

/** Runs a command to its end and returns what it printed. Throws, with what it printed as an error, when it fails. */
export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

export function loadModules(...names: string[]): void {
  run('modprobe', '--all', ...names)
}
