import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { BrickError, discoverNvmeSubsystems } from '../../lib/index.ts'
import type { DiscoveredSubsystem, ErrorCode, NvmeDiscoveryOptions } from '../../lib/index.ts'
import { encodeCommand, readPdus } from '../../lib/nvme/pdu.ts'
import type { Pdu } from '../../lib/nvme/pdu.ts'
import { header, pduOf, record, withController } from './fake-discovery.ts'
import type { Peer } from './fake-discovery.ts'

const hostId = '0f6c1c3e-2c0f-4f6e-9a52-6f2d3a1b4c5d'
const hostNqn = `nqn.2014-08.org.nvmexpress:uuid:${hostId}`
const discoveryNqn = 'nqn.2014-08.org.nvmexpress.discovery'
const log = (count: number, generation = 1n) =>
  Buffer.concat([header(generation, count), ...Array.from({ length: count }, (_, i) => record({ nqn: `nqn.${i}` }))])

type Script = (peer: Peer) => Promise<void>

function discover(script: Script, options: NvmeDiscoveryOptions = {}): Promise<DiscoveredSubsystem[]> {
  return withController(script, (portal) => discoverNvmeSubsystems(portal, { hostNqn, timeout: 5000, ...options }))
}

async function refuses(code: ErrorCode, call: Promise<unknown>, message = /./): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof BrickError, inspect(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  })
}

const names = (found: DiscoveredSubsystem[]): string[] => found.map(({ nqn }) => nqn)
const text = (data: Buffer, start: number): string => data.toString('utf8', start, data.indexOf(0, start))

describe('a discovery', () => {
  it('speaks as the specifications have it', async () => {
    const found = await discover(async (peer) => {
      const initialization = await peer.initialize()
      assert.deepEqual([...initialization.subarray(0, 16)], [0, 0, 128, 0, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
      assert.equal(initialization.length, 128)

      const connect = await peer.ask()
      assert.deepEqual([connect.opcode, connect.flags, connect.fabricsType], [0x7f, 0x40, 0x01])
      assert.equal(connect.entry.readUInt32LE(32), 1024, 'SGL length')
      assert.equal(connect.entry.readUInt8(39), 0x01, 'SGL type: in the capsule')
      assert.deepEqual([...connect.entry.subarray(40, 52)], [0, 0, 0, 0, 31, 0, 0, 0, 0, 0, 0, 0])
      assert.equal(connect.data.length, 1024)
      assert.equal(connect.data.toString('hex', 0, 16), hostId.replaceAll('-', ''))
      assert.equal(connect.data.readUInt16LE(16), 0xffff)
      assert.deepEqual([text(connect.data, 256), text(connect.data, 512)], [discoveryNqn, hostNqn])
      peer.respond(connect, { result: 1n })

      const capabilities = await peer.ask()
      assert.deepEqual([capabilities.opcode, capabilities.fabricsType], [0x7f, 0x04])
      assert.deepEqual([capabilities.entry.readUInt8(40), capabilities.entry.readUInt32LE(44)], [1, 0])
      peer.respond(capabilities, { result: 0x20_0f00_03ffn })

      const configuration = await peer.ask()
      assert.deepEqual([configuration.opcode, configuration.fabricsType], [0x7f, 0x00])
      assert.deepEqual(
        [configuration.entry.readUInt8(40), configuration.entry.readUInt32LE(44), configuration.entry.readUInt32LE(48)],
        [0, 0x14, 0x0046_0001],
      )
      peer.respond(configuration)

      const status = await peer.ask()
      assert.deepEqual([status.fabricsType, status.entry.readUInt8(40), status.entry.readUInt32LE(44)], [0x04, 0, 0x1c])
      peer.respond(status, { result: 1n })

      const page = await peer.ask()
      assert.deepEqual([page.opcode, page.flags], [0x02, 0x40])
      assert.deepEqual([page.entry.readUInt32LE(32), page.entry.readUInt8(39)], [1024, 0x5a])
      assert.deepEqual([...page.entry.subarray(40, 56)], [0x70, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
      await peer.serve(page, log(2))
    })
    assert.deepEqual(found[1], {
      nqn: 'nqn.1',
      subtype: 'nvm',
      transport: 'tcp',
      addressFamily: 'ipv4',
      traddr: '10.0.0.1',
      trsvcid: '4420',
      portId: 1,
      controllerId: null,
      adminQueueSize: 32,
      secureChannel: null,
      tls: false,
    })
    assert.deepEqual(JSON.parse(JSON.stringify(found)), found)
  })

  it('asks for all command sets where there are more', async () => {
    await discover(async (peer) => {
      await peer.initialize()
      peer.respond(await peer.ask(), { result: 1n })
      peer.respond(await peer.ask(), { result: 1n << 43n })
      const configuration = await peer.ask()
      assert.equal(configuration.entry.readUInt32LE(48), 0x0046_0061)
      peer.respond(configuration)
      peer.respond(await peer.ask(), { result: 1n })
      await peer.serve(await peer.ask(), log(0))
    })
  })

  it('finds nothing where there is nothing', async () => {
    assert.deepEqual(await discover(async (peer) => peer.serve(await peer.letIn(), log(0))), [])
  })

  for (const [name, part, success] of [
    ['in one piece', 1 << 20, false],
    ['in pieces', 1000, false],
    ['without responses', 1 << 20, true],
    ['in pieces, without responses', 700, true],
  ] as const) {
    it(`reads a long log that comes ${name}`, async () => {
      const found = await discover(async (peer) => peer.serve(await peer.letIn(), log(11), part, success))
      assert.deepEqual(
        names(found),
        names(found).map((_, index) => `nqn.${index}`),
      )
      assert.equal(found.length, 11)
    })
  }

  it('reads what comes byte by byte, with padding before the data', async () => {
    const found = await discover(async (peer) => {
      const write = peer.socket.write.bind(peer.socket)
      peer.socket.write = (bytes: Buffer) => {
        for (const byte of bytes) write(Buffer.of(byte))
        return true
      }
      const asked = await peer.letIn()
      const pdu = pduOf(7, 24, Buffer.concat([Buffer.alloc(16 + 40), log(0)]))
      pdu.writeUInt8(12, 1)
      pdu.writeUInt8(64, 3)
      pdu.writeUInt16LE(asked.commandId, 8)
      pdu.writeUInt32LE(1024, 16)
      peer.socket.write(pdu)
      await peer.serve(await peer.ask(), log(0))
    })
    assert.deepEqual(found, [])
  })

  it('waits for a controller that is not ready at once', async () => {
    const found = await discover(async (peer) => {
      await peer.initialize()
      peer.respond(await peer.ask(), { result: 1n })
      peer.respond(await peer.ask(), { result: 0x20_0f00_03ffn })
      peer.respond(await peer.ask())
      peer.respond(await peer.ask(), { result: 0n })
      peer.respond(await peer.ask(), { result: 1n })
      await peer.serve(await peer.ask(), log(1))
    })
    assert.deepEqual(names(found), ['nqn.0'])
  })

  const during =
    (
      step: 'initialize' | 'connect' | 'log',
      act: (peer: Peer, asked: Awaited<ReturnType<Peer['ask']>>) => void,
    ): Script =>
    async (peer) => {
      if (step === 'log') {
        act(peer, await peer.letIn())
        return
      }
      await peer.initialize()
      act(peer, await peer.ask())
    }
  const broken: Record<string, [ErrorCode, Script]> = {
    'is refused to this host': [
      'AUTH_FAILED',
      during('connect', (peer, asked) => {
        peer.respond(asked, { status: 0x184 })
      }),
    ],
    'wants a secret': [
      'AUTH_FAILED',
      during('connect', (peer, asked) => {
        peer.respond(asked, { result: 0x2_0001n })
      }),
    ],
    'finds no discovery controller': [
      'LOGIN_FAILED',
      during('connect', (peer, asked) => {
        peer.respond(asked, { status: 0x182 })
      }),
    ],
    'finds a busy controller': [
      'LOGIN_FAILED',
      during('connect', (peer, asked) => {
        peer.respond(asked, { status: 0x181 })
      }),
    ],
    'gets no log': [
      'LOGIN_FAILED',
      during('log', (peer, asked) => {
        peer.respond(asked, { status: 0x09 })
      }),
    ],
    'gets less than the log': [
      'LOGIN_FAILED',
      during('log', (peer, asked) => {
        peer.respond(asked)
      }),
    ],
    'gets a part as the whole': [
      'LOGIN_FAILED',
      during('log', (peer, asked) => {
        peer.data(asked, 0, Buffer.alloc(512), 12)
      }),
    ],
    'gets data out of order': [
      'LOGIN_FAILED',
      during('log', (peer, asked) => {
        peer.data(asked, 4, Buffer.alloc(4))
      }),
    ],
    'gets too much data': [
      'LOGIN_FAILED',
      during('log', (peer, asked) => {
        peer.data(asked, 0, Buffer.alloc(1028), 12)
      }),
    ],
    'gets empty data': [
      'LOGIN_FAILED',
      during('log', (peer, asked) => {
        peer.data(asked, 0, Buffer.alloc(0))
      }),
    ],
    'gets data for another command': [
      'LOGIN_FAILED',
      during('log', (peer, asked) => {
        peer.data({ ...asked, commandId: 99 }, 0, log(0), 12)
      }),
    ],
    'gets the response to another command': [
      'LOGIN_FAILED',
      during('connect', (peer, asked) => {
        peer.respond({ ...asked, commandId: 99 })
      }),
    ],
    'gets a PDU that is too long': [
      'LOGIN_FAILED',
      during('connect', (peer) => {
        peer.socket.write(pduOf(5, 24, Buffer.alloc(20_000)))
      }),
    ],
    'gets a PDU of another type': [
      'LOGIN_FAILED',
      during('connect', (peer) => {
        peer.socket.write(pduOf(9, 24, Buffer.alloc(16)))
      }),
    ],
    'is terminated': [
      'LOGIN_FAILED',
      during('connect', (peer) => {
        peer.socket.write(pduOf(3, 24, Buffer.alloc(16)))
      }),
    ],
    'is to use digests': [
      'LOGIN_FAILED',
      async (peer) => {
        await peer.initialize((pdu) => (pdu[11] = 1))
      },
    ],
    'is to use another format': [
      'LOGIN_FAILED',
      async (peer) => {
        await peer.initialize((pdu) => (pdu[8] = 1))
      },
    ],
    'is cut off': [
      'PORTAL_UNREACHABLE',
      during('log', (peer) => {
        peer.socket.end(pduOf(5, 24, Buffer.alloc(16)).subarray(0, 20))
      }),
    ],
    'is reset': [
      'PORTAL_UNREACHABLE',
      during('connect', (peer) => {
        peer.socket.resetAndDestroy()
      }),
    ],
    'is answered by somebody else': [
      'LOGIN_FAILED',
      async (peer) => {
        await peer.pdu()
        peer.socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
      },
    ],
    'finds a log that cannot be read': ['SYSTEM', async (peer) => peer.serve(await peer.letIn(), header(1n, 2 ** 40))],
    'finds a controller that fails': [
      'LOGIN_FAILED',
      async (peer) => {
        await peer.initialize()
        peer.respond(await peer.ask(), { result: 1n })
        peer.respond(await peer.ask(), { result: 0x20_0f00_03ffn })
        peer.respond(await peer.ask())
        peer.respond(await peer.ask(), { result: 3n })
      },
    ],
  }
  for (const [name, [code, script]] of Object.entries(broken)) {
    it(`that ${name} is ${code}`, () => refuses(code, discover(script)))
  }

  it('ends when its time is over or the caller has enough, however silent the portal', async () => {
    const silences: Script[] = [
      () => Promise.resolve(),
      during('connect', () => undefined),
      during('log', () => undefined),
      async (peer) => {
        await peer.initialize()
        peer.respond(await peer.ask(), { result: 1n })
        peer.respond(await peer.ask(), { result: 0xff00_0000n })
        peer.respond(await peer.ask())
        for (;;) peer.respond(await peer.ask())
      },
    ]
    for (const script of silences) {
      await refuses('TIMEOUT', discover(script, { timeout: 60 }))
      await refuses('ABORTED', discover(script, { signal: AbortSignal.timeout(40) }))
    }
  })

  it('at a closed port is PORTAL_UNREACHABLE', async () => {
    const closed = await withController(
      () => Promise.resolve(),
      (portal) => Promise.resolve(portal),
    )
    await refuses('PORTAL_UNREACHABLE', discoverNvmeSubsystems(closed, { hostNqn }), /ECONNREFUSED/)
  })
})

describe('arguments of a discovery', () => {
  const refused: [unknown, NvmeDiscoveryOptions, RegExp][] = [
    ['', {}, /^portal: /],
    ['10.0.0.256', {}, /^portal: /],
    ['10.0.0.1:', {}, /^port: /],
    ['10.0.0.1:0', {}, /^port: /],
    ['[fe80::1', {}, /^portal: /],
    [undefined, {}, /^portal: /],
    [{ address: '10.0.0.1', port: '70000' }, {}, /^port: /],
    [{ address: '10.0.0.1', transport: 'quic' }, {}, /^transport: /],
    [{ address: '10.0.0.1', transport: 'fc' }, {}, /^portal: /],
    ['10.0.0.1', { settings: { host_traddr: 'a b' } }, /^portal: /],
    ['10.0.0.1', { settings: { dhchap_secret: 'hidden' } }, /^dhchap_secret: .*\[secret\]/],
    [{ port: 4420 }, {}, /^portal: /],
    ['10.0.0.1', { hostNqn: 'iqn.2010-10.org:x' }, /^hostNqn: /],
    ['10.0.0.1', { hostNqn: 'nqn.2026-11.test:host' }, /^hostId: /],
    ['10.0.0.1', { hostNqn, hostId: 'x' }, /^hostId: /],
    ['10.0.0.1', { hostNqn, timeout: 0 }, /^timeout: /],
  ]
  for (const [portal, options, message] of refused) {
    it(`${inspect(portal)} with ${inspect(options)} are refused`, async () => {
      await refuses('INVALID_ARGUMENT', discoverNvmeSubsystems(portal as string, options), message)
    })
  }
})

it('PDUs are read to their end or refused, however they are divided', async () => {
  let seed = 5
  const below = (limit: number) => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) % limit
  const pdu = encodeCommand(Buffer.alloc(64, 1), Buffer.from('some data'))
  const stream = Buffer.concat([pdu, pduOf(5, 24, Buffer.alloc(16)), pdu])
  let read = 0
  for (let round = 0; round < 1500; round++) {
    const bytes = Buffer.from(stream.subarray(0, below(3) === 0 ? below(stream.length) : stream.length))
    for (let changes = below(4); changes > 0 && bytes.length > 0; changes--) {
      // Where lengths are, more often than elsewhere.
      bytes[below(2) === 0 ? below(Math.min(8, bytes.length)) : below(bytes.length)] = below(256)
    }
    const cut = below(bytes.length + 1)
    const whole = await all([bytes])
    assert.deepEqual(await all([bytes.subarray(0, cut), bytes.subarray(cut)]), whole)
    assert.ok(
      whole.pdus.reduce((sum, each) => sum + each.bytes.length, 0) <= bytes.length,
      'more is read than is there',
    )
    for (const each of whole.pdus) assert.ok(each.dataOffset <= each.bytes.length, 'data beyond the end')
    read += whole.pdus.length
  }
  assert.ok(read > 500, `${read} read`)
})

async function all(chunks: Buffer[]): Promise<{ pdus: Pdu[]; refused: boolean }> {
  async function* stream(): AsyncGenerator<Buffer> {
    for (const chunk of chunks) yield await Promise.resolve(chunk)
  }
  const pdus: Pdu[] = []
  try {
    for await (const pdu of readPdus(stream())) pdus.push(pdu)
    return { pdus, refused: false }
  } catch (error) {
    assert.ok(error instanceof BrickError, String(error))
    return { pdus, refused: true }
  }
}
