import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { run } from './command.ts'

const FOLDER = '/sys/kernel/config/nullb'
let made = 0

/** A disk that the kernel makes up (null_blk): it comes and goes within a few milliseconds, and keeps nothing. */
export class NullDisk {
  readonly #directory = `${FOLDER}/lab-${++made}`
  /** Its device node. */
  readonly path: string

  /** After `NullDisk.load()`. */
  constructor() {
    mkdirSync(this.#directory)
    this.#write('size', '64')
    this.#write('power', '1')
    this.path = `/dev/nullb${readFileSync(`${this.#directory}/index`, 'utf8').trim()}`
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
