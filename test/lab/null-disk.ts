import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { run } from './command.ts'

const FOLDER = '/sys/kernel/config/nullb'
let made = 0

/** A disk that the kernel makes up (null_blk): it comes and goes within a few milliseconds, and keeps nothing. */
export class NullDisk {
  readonly #name = `lab-${++made}`
  readonly #directory = `${FOLDER}/${this.#name}`
  /** Its device node: the kernel names the disk like its folder. */
  readonly path = `/dev/${this.#name}`

  /** After `NullDisk.load()`. */
  constructor() {
    mkdirSync(this.#directory)
    this.#write('size', '64')
    this.#write('power', '1')
  }

  remove(): void {
    this.#write('power', '0')
    rmdirSync(this.#directory)
  }

  static load(): void {
    run('modprobe', 'null_blk', 'nr_devices=0')
  }

  #write(attribute: string, value: string): void {
    writeFileSync(`${this.#directory}/${attribute}`, value)
  }
}
