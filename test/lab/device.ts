import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'

/** Writes from the device's beginning, and returns when it is on the device. */
export function writeDevice(path: string, content: Buffer): void {
  const file = openSync(path, 'r+')
  writeSync(file, content)
  fsyncSync(file)
  closeSync(file)
}

export function readDevice(path: string, length: number): Buffer {
  const file = openSync(path, 'r')
  const content = Buffer.alloc(length)
  readSync(file, content)
  closeSync(file)
  return content
}
