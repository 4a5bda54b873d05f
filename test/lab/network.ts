import { execFileSync } from 'node:child_process'
import { isIPv6 } from 'node:net'
import { run } from './command.ts'

export interface Fault {
  lift(): void
}

let holes = 0

/** Packets to this address and port vanish: connecting takes until the caller's patience ends, sessions go silent. */
export function blackHole(address: string, port: number): Fault {
  const table = `inet lab_black_hole_${++holes}`
  const family = isIPv6(address) ? 'ip6' : 'ip'
  const rules = `
    table ${table} {
      chain input {
        type filter hook input priority filter
        ${family} daddr ${address} tcp dport ${port} drop
      }
    }`
  execFileSync('nft', ['--file', '-'], { input: rules, stdio: ['pipe', 'ignore', 'pipe'] })
  return {
    lift() {
      run('nft', 'delete', 'table', ...table.split(' '))
    },
  }
}

/** Every packet between the guest's own addresses takes this long, each way. One at a time. */
export function delay(milliseconds: number): Fault {
  run('tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', `${milliseconds}ms`, 'limit', '10000')
  return {
    lift() {
      run('tc', 'qdisc', 'delete', 'dev', 'lo', 'root')
    },
  }
}
