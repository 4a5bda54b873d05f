/**
 * lister.js hostbrick|synchronously: lists the devices for each line that it reads, and prints how many milliseconds it took.
 *
 * A process of its own, as an agent's is: in the benchmark's the other listers leave their garbage, and each program that
 * it starts makes it copy the pages that it writes to next.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { inventory } from 'hostbrick'

const list = process.argv[2] === 'synchronously' ? listSynchronously : listWithHostbrick
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
while (!(await lines.next()).done) {
  const start = performance.now()
  const count = await list()
  const time = performance.now() - start
  if (count === 0) throw new Error('no devices')
  console.log(time)
}

/** Until every device is there with its name and identity. */
async function listWithHostbrick(): Promise<number> {
  const { devices } = await inventory()
  return devices.map(({ name, identity, wwid }) => [name, identity?.names.udev ?? wwid]).length
}

/** What a program without an addon would do: the same attributes, one after the other. */
function listSynchronously(): number {
  const folder = '/sys/class/block'
  return new Map(
    readdirSync(folder).map((name) => {
      const place = readlinkSync(`${folder}/${name}`)
      const attributes = ['uevent', 'size', 'ro']
      if (place.includes('/target')) attributes.push('device/vpd_pg83', 'device/vpd_pg80', 'device/inquiry')
      if (place.includes('/nvme')) attributes.push('wwid', 'nsid', 'nguid', 'eui')
      return [name, new Map(attributes.map((attribute) => [attribute, readIfThere(`${folder}/${name}/${attribute}`)]))]
    }),
  ).size
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}
