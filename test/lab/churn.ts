import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { run } from './command.ts'
import { NullDisk } from './null-disk.ts'
import type { Comparison } from './programs/follower.ts'

/** More than the receive buffer of a process that does not listen holds: 32 MiB, of which an event takes some 800 bytes. */
const events = 60_000

/** A process of its own that follows the devices, `programs/follower.ts`. */
export class Follower {
  readonly #process = spawn(
    process.execPath,
    ['--enable-source-maps', fileURLToPath(new URL('programs/follower.js', import.meta.url))],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  readonly #lines: AsyncIterator<string> = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()

  static async start(): Promise<Follower> {
    const follower = new Follower()
    await follower.#line()
    return follower
  }

  async compare(): Promise<Comparison> {
    this.#process.stdin.write('compare\n')
    return JSON.parse(await this.#line()) as Comparison
  }

  /** Hears nothing, while the kernel tells more than it keeps for anybody. */
  deafen(): void {
    this.#process.kill('SIGSTOP')
  }

  hearAgain(): void {
    this.#process.kill('SIGCONT')
  }

  async stop(): Promise<void> {
    const exited = once(this.#process, 'exit')
    this.#process.stdin.end('end\n')
    await exited
  }

  async #line(): Promise<string> {
    const line = await this.#lines.next()
    if (line.done) throw new Error('the follower has ended')
    return line.value
  }
}

/** Devices come and go: of `count` that are made, every second one goes again, at once or later; then the others. */
export async function churn(count: number): Promise<void> {
  const disks: NullDisk[] = []
  for (let made = 0; made < count; made++) {
    const disk = new NullDisk()
    if (made % 4 === 0) disk.remove()
    else disks.push(disk)
    if (made % 4 === 2) disks.shift()?.remove()
    // So that who follows, too, gets a processor.
    if (made % 50 === 0) await new Promise(setImmediate)
  }
  for (const disk of disks.splice(0, Math.floor(disks.length / 2))) disk.remove()
  leftovers.push(...disks)
}

const leftovers: NullDisk[] = []

export function removeLeftovers(): void {
  for (const disk of leftovers.splice(0)) disk.remove()
}

/** So many events that one who does not listen meanwhile loses some. */
export function overflow(disk: NullDisk): void {
  const file = `/sys/class/block/${disk.path.replace('/dev/', '')}/uevent`
  for (let told = 0; told < events; told++) writeFileSync(file, 'change')
}

/** udevd is not what is tested: it would need the processor for minutes. */
export function pauseUdev(): void {
  run('udevadm', 'control', '--stop-exec-queue')
}

export function resumeUdev(): void {
  run('udevadm', 'control', '--start-exec-queue')
}
