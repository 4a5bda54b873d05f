/**
 * Follows this host's devices, in two ways: by a live inventory, and by the changes that a watch tells. For each line of
 * input it says whether both are what a fresh look finds, as a line of JSON.
 */
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'
import { inventory, liveInventory, watch } from 'hostbrick'
import type { BlockDevice, Devices } from 'hostbrick'
import { listen } from '../../../dist/udev/uevents.js'

/** Milliseconds that events which are on their way have to arrive. */
const patience = 60_000

export interface Comparison {
  readonly live: boolean
  readonly watched: boolean
  readonly devices: number
  /** How often events were lost. */
  readonly losses: number
}

let losses = 0
using _losses = listen('kernel', (event) => {
  if (event === undefined) losses++
})
const watched = new Map<string, BlockDevice>()
const changes = watch()
const told = follow()
await changes.begun
for (const device of (await inventory()).devices) watched.set(device.name, device)
const live = await liveInventory()
console.log('ready')

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'end') break
  console.log(JSON.stringify(await compare()))
}
live[Symbol.dispose]()
await changes.return?.()
await told

async function follow(): Promise<void> {
  for await (const change of changes) {
    if (change.kind !== 'device') continue
    if (change.change === 'removed') watched.delete(change.device.name)
    else watched.set(change.device.name, change.device)
  }
}

async function compare(): Promise<Comparison> {
  const deadline = performance.now() + patience
  for (;;) {
    await live.settled()
    const fresh = await inventory()
    const found = sorted(fresh.devices)
    const result = {
      live: isDeepStrictEqual(sorted(live.devices), found) && indexes(live) === indexes(fresh),
      watched: isDeepStrictEqual(sorted([...watched.values()]), found),
      devices: found.length,
      losses,
    }
    if ((result.live && result.watched) || performance.now() > deadline) return result
  }
}

function sorted(devices: readonly BlockDevice[]): BlockDevice[] {
  return devices.toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

/** What is found by what, as text. */
function indexes(devices: Devices): string {
  const { byDevno, byHctl, byWwid, bySerial } = devices
  const one = [byDevno, byHctl].map((index) => [...index].map(([key, { name }]) => `${key} ${name}`))
  const several = [byWwid, bySerial].map((index) => {
    return [...index].map(
      ([key, group]) =>
        `${key} ${group
          .map(({ name }) => name)
          .sort()
          .join()}`,
    )
  })
  return JSON.stringify([...one, ...several].map((lines) => lines.sort()))
}
