import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** What a read ends with when the other side has left. */
export class PeerLeft extends Error {
  override readonly message = 'the other side has left'
}

/** Reads a connection in pieces of a given length. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Buffer, undefined>
  #received = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>
  }

  /** @throws PeerLeft */
  async read(length: number): Promise<Buffer> {
    while (this.#received.length < length) {
      const { value, done } = await this.#chunks.next()
      if (done) throw new PeerLeft()
      this.#received = Buffer.concat([this.#received, value])
    }
    const bytes = this.#received.subarray(0, length)
    this.#received = this.#received.subarray(length)
    return bytes
  }
}

/** Serves the script on loopback while `use` runs. What goes wrong in the script goes wrong here, unless `use` fails. */
export async function withServer<T>(
  script: (socket: Socket, portal: string, connection: number) => Promise<void>,
  use: (portal: string) => Promise<T>,
): Promise<T> {
  const sockets: Socket[] = []
  const scripts: Promise<void>[] = []
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    const played = script(socket, portal, sockets.push(socket))
    played.catch(() => undefined)
    scripts.push(played)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const portal = `127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const result = await use(portal)
    await Promise.all(scripts)
    return result
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}
