import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { BrickError, discoverIscsiTargets } from '../../lib/index.ts'
import type { DiscoveredTarget, DiscoveryOptions, ErrorCode } from '../../lib/index.ts'
import { fullFeature, noTag, textResponse, withTarget } from './fake-target.ts'
import type { Peer } from './fake-target.ts'

const initiatorName = 'iqn.2026-11.test:host'
const one = 'iqn.2026-11.test:1'
const two = 'eui.0123456789abcdef'
const list = `TargetName=${one}\0TargetAddress=10.0.0.1:3260,1\0TargetAddress=[fe80::1%eth0]:3261,2\0TargetName=${two}\0TargetAddress=array\0`
const found: DiscoveredTarget[] = [
  {
    iqn: one,
    portals: [
      { portal: '10.0.0.1:3260', group: 1 },
      { portal: '[fe80::1%eth0]:3261', group: 2 },
    ],
  },
  { iqn: two, portals: [{ portal: 'array:3260', group: null }] },
]
const host = { username: 'host', password: 'hidden-of-host' }
const mutual = { ...host, usernameIn: 'array', passwordIn: 'hidden-of-array' }

type Script = (peer: Peer, portal: string, connection: number) => Promise<void>

function discover(script: Script, options: DiscoveryOptions = {}): Promise<DiscoveredTarget[]> {
  return withTarget(script, (portal) => discoverIscsiTargets(portal, { initiatorName, timeout: 5000, ...options }))
}

async function refuses(code: ErrorCode, call: Promise<unknown>, message = /./): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof BrickError, inspect(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    assert.ok(!inspect(error, { depth: 9 }).includes('hidden'), 'a password is shown')
    return true
  })
}

describe('a discovery', () => {
  it('asks as RFC 7143 has it and reads names, addresses and groups', async () => {
    const result = await discover(async (peer) => {
      const login = await peer.ask()
      assert.deepEqual([login.opcode, login.immediate, login.flags], [0x03, true, 0x87])
      assert.equal(login.header[8], 0x80, 'a random ISID')
      assert.equal(login.keys.get('InitiatorName'), initiatorName)
      assert.equal(login.keys.get('SessionType'), 'Discovery')
      assert.equal(login.keys.get('HeaderDigest'), 'None')
      assert.ok(!login.keys.has('TargetName'))
      peer.login(fullFeature)
      const question = await peer.ask()
      assert.deepEqual([question.opcode, question.immediate, question.flags], [0x04, false, 0x80])
      assert.deepEqual([question.text, question.transferTag], ['SendTargets=All\0', noTag])
      assert.deepEqual([question.command, question.expected], [login.command, 0x11])
      peer.answer({ text: list })
    })
    assert.deepEqual(result, found)
    assert.deepEqual(JSON.parse(JSON.stringify(result)), found)
  })

  it('puts a target without an address where it was asked for, and one that comes twice together', async () => {
    let asked = ''
    const result = await discover(async (peer, portal) => {
      asked = portal
      await peer.letIn()
      const again = `TargetName=${one.toUpperCase()}\0TargetAddress=10.0.0.2,1\0TargetAddress=10.0.0.1:3260,1\0`
      peer.answer({ text: `TargetName=naa.0123456789abcdef\0TargetAlias=x\0${list}${again}` })
    })
    assert.deepEqual(result[0], { iqn: 'naa.0123456789abcdef', portals: [{ portal: asked, group: null }] })
    assert.deepEqual(result[1]?.portals, [...(found[0]?.portals ?? []), { portal: '10.0.0.2:3260', group: 1 }])
    assert.equal(result.length, 3)
  })

  it('finds nothing where there is nothing', async () => {
    assert.deepEqual(
      await discover(async (peer) => {
        await peer.letIn()
        peer.answer({})
      }),
      [],
    )
  })

  for (const continued of [0, 0x40]) {
    it(`goes on until the answer is complete, divided in the middle of a key, with C=${continued >> 6}`, async () => {
      const result = await discover(async (peer) => {
        let { command } = await peer.letIn()
        const cuts = [0, 5, 30, 31, 60, list.length]
        for (const [index, cut] of cuts.slice(1).entries()) {
          const last = cut === list.length
          peer.answer({
            flags: last ? 0x80 : continued,
            transferTag: last ? noTag : 7 + index,
            text: list.slice(cuts[index], cut),
          })
          if (last) return
          const next = await peer.ask()
          assert.deepEqual([next.opcode, next.text, next.transferTag], [0x04, '', 7 + index])
          assert.equal(next.command, ++command)
          assert.equal(next.expected, 0x12 + index)
        }
      })
      assert.deepEqual(result, found)
    })
  }

  it('reads what comes byte by byte, and many PDUs at once, with additional header segments', async () => {
    const script =
      (pieces: (pdu: Buffer) => Buffer[]): Script =>
      async (peer) => {
        await peer.letIn()
        const ping = peer.pdu({ opcode: 0x20, taskTag: noTag, status: 0x11 })
        const answer = peer.pdu({ text: list })
        answer[4] = 2
        const pdu = Buffer.concat([answer.subarray(0, 48), Buffer.alloc(8, 'x'), answer.subarray(48)])
        for (const piece of pieces(Buffer.concat([ping, ping, pdu]))) peer.socket.write(piece)
      }
    assert.deepEqual(await discover(script((pdu) => [pdu])), found)
    assert.deepEqual(await discover(script((pdu) => [...pdu].map((byte) => Buffer.of(byte)))), found)
  })

  it('answers pings that want an answer, and no others', async () => {
    const result = await discover(async (peer) => {
      await peer.letIn()
      peer.answer({ opcode: 0x20, taskTag: noTag, status: 0x11 })
      peer.answer({ opcode: 0x20, taskTag: noTag, transferTag: 9, status: 0x11, change: (pdu) => pdu.fill(3, 8, 16) })
      const pong = await peer.ask()
      assert.deepEqual([pong.opcode, pong.immediate, pong.flags], [0x00, true, 0x80])
      assert.deepEqual([pong.taskTag, pong.transferTag, pong.expected], [noTag, 9, 0x11])
      assert.deepEqual(pong.header.subarray(8, 16), Buffer.alloc(8, 3))
      peer.answer({ text: list })
    })
    assert.deepEqual(result, found)
  })

  it('ends with an error when the portal wants to end it, and else goes on', async () => {
    const say =
      (event: number): Script =>
      async (peer) => {
        await peer.letIn()
        peer.answer({ opcode: 0x32, taskTag: noTag, change: (pdu) => (pdu[36] = event) })
        peer.answer({ text: list })
      }
    for (const event of [1, 2, 3]) await refuses('PORTAL_UNREACHABLE', discover(say(event)), /ends the session/)
    for (const event of [0, 4, 255]) assert.deepEqual(await discover(say(event)), found)
  })

  const broken: Record<string, [ErrorCode, Script]> = {
    'is rejected': ['LOGIN_FAILED', after({ opcode: 0x3f, taskTag: noTag })],
    'gets another answer': ['LOGIN_FAILED', after({ opcode: 0x25 })],
    'gets the answer to another question': ['LOGIN_FAILED', after({ taskTag: 2, text: list })],
    'goes on nowhere': ['LOGIN_FAILED', after({ flags: 0, text: list })],
    'gets too much in one PDU': ['LOGIN_FAILED', after({ change: (pdu) => pdu.writeUIntBE(65_537, 5, 3) })],
    'gets no pairs': ['LOGIN_FAILED', after({ text: 'TargetName\0' })],
    'gets what is not UTF-8': ['LOGIN_FAILED', after({ text: Buffer.from([0x41, 0x3d, 0xff, 0]) })],
    'gets an address first': ['LOGIN_FAILED', after({ text: 'TargetAddress=10.0.0.1,1\0' })],
    'gets an address that is none': ['LOGIN_FAILED', after({ text: `${list}TargetAddress=10.0.0.256,1\0` })],
    'gets a name that is none': ['LOGIN_FAILED', after({ text: `${list}TargetName=iqn.../../etc\0` })],
    'gets no for an answer': ['LOGIN_FAILED', after({ text: 'SendTargets=Reject\0' })],
    'is cut off': [
      'PORTAL_UNREACHABLE',
      async (peer) => {
        await peer.letIn()
        peer.socket.end(peer.pdu({ text: list }).subarray(0, 60))
      },
    ],
    'is reset': [
      'PORTAL_UNREACHABLE',
      async (peer) => {
        await peer.letIn()
        peer.socket.resetAndDestroy()
      },
    ],
    'is answered by somebody else': [
      'LOGIN_FAILED',
      async (peer) => {
        await peer.ask()
        peer.socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
      },
    ],
  }
  for (const [name, [code, script]] of Object.entries(broken)) {
    it(`that ${name} is ${code}`, () => refuses(code, discover(script)))
  }

  it('reads no more than a list can be', async () => {
    let parts = 0
    const endless: Script = async (peer) => {
      await peer.letIn()
      for (; ; parts++) {
        peer.answer({ flags: 0x40, transferTag: 1, text: 'x'.repeat(60_000) })
        await peer.ask()
      }
    }
    await refuses('LOGIN_FAILED', discover(endless), /more than 1048576 bytes/)
    assert.equal(parts, Math.floor(1048576 / 60_000))
  })

  it('does not listen forever to pings', async () => {
    const pings: Script = async (peer) => {
      await peer.letIn()
      const ping = peer.pdu({ opcode: 0x20, taskTag: noTag })
      peer.socket.write(Buffer.concat(Array.from({ length: 10_000 }, () => ping)))
    }
    await refuses('LOGIN_FAILED', discover(pings), /without an end/)
  })

  it('ends when its time is over or the caller has enough, however silent the portal', async () => {
    const silences: Script[] = [
      () => Promise.resolve(),
      async (peer) => {
        await peer.letIn()
      },
      async (peer) => {
        await peer.letIn()
        peer.socket.write(peer.pdu({ text: list }).subarray(0, 50))
      },
    ]
    for (const script of silences) {
      await refuses('TIMEOUT', discover(script, { timeout: 60 }))
      await refuses('ABORTED', discover(script, { signal: AbortSignal.timeout(40) }))
    }
    await refuses(
      'ABORTED',
      discover(() => Promise.resolve(), { signal: AbortSignal.abort() }),
    )
  })

  it('at a closed port is PORTAL_UNREACHABLE', async () => {
    const closed = await withTarget(
      () => Promise.resolve(),
      (portal) => Promise.resolve(portal),
    )
    await refuses('PORTAL_UNREACHABLE', discoverIscsiTargets(closed, { initiatorName }), /ECONNREFUSED/)
  })

  it('finds the address behind a host name', async () => {
    const result = await withTarget(
      async (peer) => {
        await peer.letIn()
        peer.answer({ text: `TargetName=${one}\0` })
      },
      async (portal) => {
        const targets = await discoverIscsiTargets(portal.replace('127.0.0.1', 'localhost'), { initiatorName })
        return [targets[0]?.portals, [{ portal, group: null }]]
      },
    )
    assert.deepEqual(result[0], result[1])
  })
})

describe('a login', () => {
  it('answers what the target proposes, and goes on until that is through', async () => {
    const result = await discover(async (peer) => {
      await peer.ask()
      peer.login(0x44, 'HeaderDig')
      assert.deepEqual([(await peer.ask()).flags, 0x04], [0x04, 0x04])
      peer.login(0x04, 'est=None\0InitialR2T=Yes\0X-com.example.a=1\0TargetAlias=x\0')
      const reply = await peer.ask()
      assert.equal(reply.text, 'InitialR2T=Irrelevant\0X-com.example.a=NotUnderstood\0')
      assert.equal(reply.flags, 0x87)
      peer.login(fullFeature)
      await peer.ask()
      peer.answer({ text: list })
    })
    assert.deepEqual(result, found)
  })

  const statuses: Record<number, ErrorCode> = {
    0x0200: 'LOGIN_FAILED',
    0x0201: 'AUTH_FAILED',
    0x0202: 'AUTH_FAILED',
    0x0301: 'LOGIN_FAILED',
  }
  for (const [status, code] of Object.entries(statuses)) {
    it(`that is answered with status ${status} is ${code}`, async () => {
      const script: Script = async (peer) => {
        await peer.ask()
        peer.login(0x04, '', Number(status))
      }
      await refuses(code, discover(script))
    })
  }

  const refused: Record<string, [ErrorCode, number, string]> = {
    'wants a digest': ['LOGIN_FAILED', fullFeature, 'HeaderDigest=CRC32C\0'],
    'skips a stage': ['LOGIN_FAILED', 0x85, ''],
    'is in another stage': ['LOGIN_FAILED', 0x8f, ''],
    'wants to know who asks': ['AUTH_FAILED', 0x00, 'AuthMethod=CHAP\0'],
    'says a key twice': ['LOGIN_FAILED', fullFeature, 'TargetAlias=a\0TargetAlias=b\0'],
  }
  for (const [name, [code, flags, text]] of Object.entries(refused)) {
    it(`whose target ${name} is ${code}`, async () => {
      const script: Script = async (peer) => {
        await peer.ask()
        peer.login(flags, text)
      }
      await refuses(code, discover(script))
    })
  }

  it('follows a redirection, but not for long', async () => {
    const after = (limit: number): Script => {
      return async (peer, portal, connection) => {
        if (connection > limit) {
          await peer.letIn()
          peer.answer({ text: list })
          return
        }
        await peer.ask()
        peer.login(0x04, `TargetAddress=${portal}\0`, 0x0101)
      }
    }
    assert.deepEqual(await discover(after(1)), found)
    assert.deepEqual(await discover(after(4)), found)
    await refuses('LOGIN_FAILED', discover(after(5)), /redirections/)
  })

  it('redirected to nowhere fails', async () => {
    for (const text of ['', 'TargetAddress=1.2.3\0']) {
      const script: Script = async (peer) => {
        await peer.ask()
        peer.login(0x04, text, 0x0101)
      }
      await refuses('LOGIN_FAILED', discover(script), /TargetAddress/)
    }
  })
})

describe('CHAP', () => {
  /** A target that knows the secrets; `change` makes it one that does not keep to the rules. */
  const guarded =
    (number: string, hash: string, change: Partial<Record<'CHAP_N' | 'CHAP_R' | 'CHAP_C', string>> = {}): Script =>
    async (peer) => {
      const opening = await peer.ask()
      assert.equal(opening.flags, 0x00)
      assert.match(opening.keys.get('AuthMethod') ?? '', /^CHAP(?:,None)?$/)
      peer.login(0x00, 'AuthMethod=CHAP\0TargetPortalGroupTag=1\0')
      assert.ok((await peer.ask()).keys.get('CHAP_A')?.split(',').includes(number))
      const challenge = randomBytes(16)
      peer.login(0x00, `CHAP_A=${number}\0CHAP_I=200\0CHAP_C=0b${challenge.toString('base64')}\0`)
      const { keys, flags } = await peer.ask()
      assert.equal(flags, 0x81)
      const response = createHash(hash)
        .update(Buffer.from([200]))
        .update('hidden-of-host')
        .update(challenge)
      if (keys.get('CHAP_N') !== 'host' || keys.get('CHAP_R') !== `0x${response.digest('hex')}`) {
        peer.login(0x00, '', 0x0201)
        return
      }
      const theirs = Buffer.from((keys.get('CHAP_C') ?? '').slice(2), 'hex')
      const proof = createHash(hash).update(Buffer.from([Number(keys.get('CHAP_I') ?? 0)]))
      proof.update('hidden-of-array').update(theirs)
      const said = { CHAP_N: 'array', CHAP_R: `0x${proof.digest('hex')}`, ...change }
      peer.login(
        0x81,
        theirs.length === 0
          ? ''
          : Object.entries(said)
              .filter(([, value]) => value !== '')
              .map(([key, value]) => `${key}=${value}\0`)
              .join(''),
      )
      const operational = await peer.ask()
      assert.equal(operational.flags, 0x87)
      assert.ok(!operational.keys.has('InitiatorName'))
      peer.login(fullFeature)
      await peer.ask()
      peer.answer({ text: list })
    }

  for (const [number, hash] of [
    ['5', 'md5'],
    ['6', 'sha1'],
    ['7', 'sha256'],
    ['8', 'sha3-256'],
  ] as const) {
    it(`with ${hash} proves this host, and the target where it has to`, async () => {
      assert.deepEqual(await discover(guarded(number, hash), { credentials: host }), found)
      assert.deepEqual(await discover(guarded(number, hash), { credentials: mutual }), found)
    })
  }

  it('with wrong credentials is AUTH_FAILED', async () => {
    const script = guarded('7', 'sha256')
    await refuses('AUTH_FAILED', discover(script, { credentials: { ...host, password: 'hidden-wrong' } }))
    await refuses('AUTH_FAILED', discover(script, { credentials: { ...host, username: 'guest' } }))
  })

  it('with a target that cannot prove itself is AUTH_FAILED', async () => {
    const lies = [{ CHAP_R: `0x${'00'.repeat(32)}` }, { CHAP_R: '0x00' }, { CHAP_R: '' }, { CHAP_N: 'host' }]
    for (const lie of [...lies, { CHAP_N: '' }, { CHAP_C: `0x${'11'.repeat(16)}` }]) {
      await refuses('AUTH_FAILED', discover(guarded('7', 'sha256', lie), { credentials: mutual }))
    }
    const passwordIn = 'hidden-wrong'
    await refuses('AUTH_FAILED', discover(guarded('7', 'sha256'), { credentials: { ...mutual, passwordIn } }))
  })

  it('is done without where nobody asks for it, but not where the target has to prove itself', async () => {
    const none: Script = async (peer) => {
      await peer.ask()
      peer.login(0x00, 'AuthMethod=None\0')
      assert.deepEqual((await peer.ask()).flags, 0x81)
      peer.login(0x81)
      await peer.letIn()
      peer.answer({ text: list })
    }
    assert.deepEqual(await discover(none, { credentials: host }), found)
    await refuses('AUTH_FAILED', discover(none, { credentials: mutual }), /chose None/)
  })

  it('never answers its own challenge, on another connection neither', async () => {
    let stolen = ''
    let response: string | undefined
    const thief: Script = async (peer, portal, connection) => {
      await peer.ask()
      peer.login(0x00, 'AuthMethod=CHAP\0')
      await peer.ask()
      peer.login(0x00, `CHAP_A=7\0CHAP_I=1\0CHAP_C=${connection === 1 ? '0x1234' : stolen}\0`)
      const { keys } = await peer.ask()
      if (connection === 1) {
        stolen = keys.get('CHAP_C') ?? ''
        peer.login(0x00, `TargetAddress=${portal}\0`, 0x0101)
      } else response = keys.get('CHAP_R')
    }
    await refuses('AUTH_FAILED', discover(thief, { credentials: mutual }), /challenge of ours/)
    assert.match(stolen, /^0x[\da-f]{64}$/)
    assert.equal(response, undefined)
  })

  const malformed = {
    'another algorithm': ['AUTH_FAILED', 'CHAP_A=4\0CHAP_I=1\0CHAP_C=0x1234\0'],
    'no algorithm': ['AUTH_FAILED', 'CHAP_I=1\0CHAP_C=0x1234\0'],
    'no identifier': ['LOGIN_FAILED', 'CHAP_A=7\0CHAP_C=0x1234\0'],
    'an identifier of 256': ['LOGIN_FAILED', 'CHAP_A=7\0CHAP_I=256\0CHAP_C=0x1234\0'],
    'no challenge': ['LOGIN_FAILED', 'CHAP_A=7\0CHAP_I=1\0'],
    'an empty challenge': ['LOGIN_FAILED', 'CHAP_A=7\0CHAP_I=1\0CHAP_C=0x\0'],
    'a challenge too long': ['LOGIN_FAILED', `CHAP_A=7\0CHAP_I=1\0CHAP_C=0x${'00'.repeat(1025)}\0`],
  } as const
  for (const [name, [code, text]] of Object.entries(malformed)) {
    it(`with ${name} is ${code}`, async () => {
      const script: Script = async (peer) => {
        await peer.ask()
        peer.login(0x00, 'AuthMethod=CHAP\0')
        await peer.ask()
        peer.login(0x00, text)
      }
      await refuses(code, discover(script, { credentials: host }))
    })
  }
})

describe('arguments', () => {
  const refused: Record<string, [unknown, object?]> = {
    'no portal': [''],
    'a portal that is none': ['10.0.0.256'],
    'a name that is none': ['127.0.0.1', { initiatorName: 'host' }],
    'credentials that are none': ['127.0.0.1', { credentials: 'hidden' }],
    'no username': ['127.0.0.1', { credentials: { password: 'hidden' } }],
    'a username too long': ['127.0.0.1', { credentials: { username: 'u'.repeat(256), password: 'hidden' } }],
    'no password': ['127.0.0.1', { credentials: { username: 'u' } }],
    'a password that is none': ['127.0.0.1', { credentials: { username: 'u', password: ['hidden'] } }],
    'half of what the target has to prove': ['127.0.0.1', { credentials: { ...host, passwordIn: 'hidden' } }],
    'equal passwords': ['127.0.0.1', { credentials: { ...mutual, passwordIn: host.password } }],
    'a timeout of 0': ['127.0.0.1', { timeout: 0 }],
  }
  for (const [name, [portal, options]] of Object.entries(refused)) {
    it(`with ${name} are INVALID_ARGUMENT`, async () => {
      await refuses('INVALID_ARGUMENT', discoverIscsiTargets(portal as string, { initiatorName, ...options }))
    })
  }
})

/** Lets us in and then says this. */
function after(answer: Parameters<Peer['answer']>[0]): Script {
  return async (peer) => {
    await peer.letIn()
    peer.answer({ opcode: textResponse, ...answer })
  }
}
