/** What is made of an iscsid that is not there, not iscsid, or not as known. The real ones are the lab's. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, describe, it } from 'node:test'
import { binding, failedWith, finish } from '../../lib/binding.ts'
import type { Answer } from '../../lib/binding.ts'
import { tcp } from '../../lib/iscsi/interface.ts'
import { Iscsid } from '../../lib/iscsi/iscsid.ts'

const timely = (): AbortSignal => AbortSignal.timeout(20_000)
const record = new Map([
  ['node.name', 'iqn.2026-11.test:a'],
  ['node.conn[0].address', '127.0.0.1'],
])
const session = {
  id: 7,
  host: 7,
  targetId: 0,
  over: tcp,
  targetName: 'iqn.2026-11.test:a',
  portal: null,
  peer: null,
  state: 'LOGGED_IN',
  units: [],
}
const closers: (() => void)[] = []
after(() => {
  for (const close of closers) close()
})

/** A daemon that says nothing before a request of this length is there, as iscsid does. `heard` are the commands. */
async function daemon(length: number, answer: (command: number) => Buffer | undefined): Promise<Fake> {
  // Node's own sockets in the abstract namespace have names that are filled up with zeros.
  const name = `hostbrick-test-${randomUUID()}`.padEnd(107, '\0')
  const heard: number[] = []
  const server = createServer((socket) => {
    let received = Buffer.alloc(0)
    closers.push(() => socket.destroy())
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      const answered = received.length >= length
      received = Buffer.concat([received, chunk])
      if (answered || received.length < length) return
      const command = received.readInt32LE(0)
      heard.push(command)
      const response = answer(command)
      if (response) socket.end(response)
    })
  })
  server.listen(`\0${name}`)
  await once(server, 'listening')
  closers.push(() => server.close())
  return { name, heard }
}

interface Fake {
  readonly name: string
  readonly heard: number[]
}

/** iscsid's answer: command, error, and a fixed length. */
function response(command: number, error = 0, length = 2464): Buffer {
  const bytes = Buffer.alloc(length)
  bytes.writeInt32LE(command, 0)
  bytes.writeInt32LE(error, 4)
  return bytes
}

const ask = (name: string, length: number, timeout = 300): Promise<Answer> =>
  finish(binding().askAbstract(name, Buffer.alloc(length), timeout), timely())

describe('a login', () => {
  it('is not tried where nobody listens', async () => {
    assert.equal(await new Iscsid(`hostbrick-test-${randomUUID()}`).login(record, timely()), false)
  })

  it('is not tried with an answerer that is not iscsid, whatever it says', async () => {
    const { name, heard } = await daemon(16_112, (command) => response(command))
    assert.equal(await new Iscsid(name).login(record, timely()), false)
    assert.deepEqual(heard, [8])
  })

  it('is not tried after an error, or an answer of another kind or length', async () => {
    for (const answer of [response(8, 13), response(9), response(8, 0, 2463), response(8, 0, 8)]) {
      const { name, heard } = await daemon(16_112, () => answer)
      assert.equal(await new Iscsid(name).login(record, timely()), false)
      assert.deepEqual(heard, [8])
    }
  })

  it('is not tried when no answer comes', async () => {
    const { name } = await daemon(16_112, () => undefined)
    assert.equal(await new Iscsid(name).login(record, timely()), false)
  })

  it('ends with its signal', async () => {
    const { name } = await daemon(16_112, () => undefined)
    const abort = AbortSignal.timeout(50)
    await assert.rejects(new Iscsid(name).login(record, abort), { name: 'TimeoutError' })
  })
})

describe('a logout', () => {
  it('is done for every release, also where the session is gone', async () => {
    for (const [length, error] of [
      [12_856, 0],
      [16_128, 2],
    ] as const) {
      const { name, heard } = await daemon(length, (command) => response(command, error))
      assert.equal(await new Iscsid(name).logout(session, timely()), true)
      assert.deepEqual(heard, [2])
    }
  })

  it('fails with what iscsid says', async () => {
    const { name } = await daemon(16_112, (command) => response(command, 28))
    await assert.rejects(new Iscsid(name).logout(session, timely()), { code: 'DEVICE_IN_USE' })
  })

  it('fails when iscsid closes the connection without an answer', async () => {
    const { name } = await daemon(16_112, () => Buffer.alloc(4))
    await assert.rejects(new Iscsid(name).logout(session, timely()), { code: 'TOOL_FAILED' })
  })
})

describe('a question to a daemon', () => {
  it('tells who answered', async () => {
    const { name } = await daemon(100, (command) => response(command))
    const { pid, bytes } = await ask(name, 100)
    assert.equal(pid, process.pid)
    assert.equal(bytes.length, 2464)
  })

  it('that is as long as it reads gets no answer when it is a byte shorter', async () => {
    const { name, heard } = await daemon(100, (command) => response(command))
    await assert.rejects(ask(name, 99), (error) => failedWith(error, 'EAGAIN'))
    assert.deepEqual(heard, [])
    assert.equal((await ask(name, 100)).bytes.length, 2464)
  })
})
