// Takes the locks of its arguments and says so; then gives back each one that it is told, line by line.
import { createInterface } from 'node:readline'
import { lock } from '../../../lib/lock.ts'

const { signal } = new AbortController()
const held = new Map<string, Disposable>()
for (const key of process.argv.slice(2)) held.set(key, await lock(key, signal))
console.log('held')
for await (const key of createInterface(process.stdin)) held.get(key)?.[Symbol.dispose]()
