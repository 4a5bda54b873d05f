// Run with UV_THREADPOOL_SIZE=1.
import { stat } from 'node:fs/promises'
import { letGo, makeFifo, native } from './addon.mjs'

const fifos = Array.from({ length: 8 }, makeFifo)
const jobs = fifos.map((fifo, index) => native.readFile(`stuck ${index}`, fifo))
await stat('/')
fifos.forEach(letGo)
await Promise.all(jobs.map(({ result }) => result))
