import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'

/** Writes from the device's beginning, and returns when it is on the device. */
export function writeDevice(path: string, content: Buffer): void {
  const file = openSync(path, 'r+')
  // A call may take less than it was given: it stops at what fails, and only the next one says so.
  for (let at = 0; at < content.length;) at += writeSync(file, content, at)
  fsyncSync(file)
  closeSync(file)
}

export function readDevice(path: string, length: number): Buffer {
  const file = openSync(path, 'r')
  const content = Buffer.alloc(length)
  for (let at = 0; at < length;) {
    const got = readSync(file, content, at, length - at, at)
    if (got === 0) throw new Error(`${path} ends after ${at} bytes`)
    at += got
  }
  closeSync(file)
  return content
}
