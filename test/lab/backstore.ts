import { randomUUID } from 'node:crypto'
import { mkdirSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModules } from './command.ts'

const HBA = '/sys/kernel/config/target/core/fileio_0'
const MEBIBYTE = 1024 * 1024
let made = 0

export interface BackstoreOptions {
  megabytes: number
  /** A UUID, from which LIO makes the designators of VPD page 0x83; random when left out. */
  serial?: string
}

/** What LIO serves as a disk: a sparse file in memory. */
export class Backstore {
  readonly name: string
  readonly serial: string
  readonly directory: string
  readonly #file: string

  constructor({ megabytes, serial = randomUUID() }: BackstoreOptions) {
    this.name = `lab-${++made}`
    this.serial = serial
    this.directory = join(HBA, this.name)
    this.#file = join('/dev/shm', this.name)

    loadModules('target_core_mod', 'target_core_file')
    writeFileSync(this.#file, '')
    truncateSync(this.#file, megabytes * MEBIBYTE)
    mkdirSync(this.directory, { recursive: true })
    this.#write('control', `fd_dev_name=${this.#file},fd_dev_size=${megabytes * MEBIBYTE}`)
    this.#write('enable', '1')
    this.#write('wwn/vpd_unit_serial', serial)
  }

  /** LIO answers READ CAPACITY from `fd_dev_size`, not from the file, and takes a new value at any time. */
  grow(megabytes: number): void {
    truncateSync(this.#file, megabytes * MEBIBYTE)
    this.#write('control', `fd_dev_size=${megabytes * MEBIBYTE}`)
  }

  remove(): void {
    rmdirSync(this.directory)
    rmSync(this.#file)
  }

  #write(attribute: string, value: string): void {
    writeFileSync(join(this.directory, attribute), value)
  }
}
