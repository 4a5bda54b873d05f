import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BrickError } from '../../lib/errors.ts'
import { Chap, chapResponse, readBinary } from '../../lib/iscsi/chap.ts'
import { parseTargets } from '../../lib/iscsi/discovery.ts'
import { encodeRequest, readResponses } from '../../lib/iscsi/pdu.ts'
import type { Response } from '../../lib/iscsi/pdu.ts'
import { parsePortal } from '../../lib/iscsi/portal.ts'
import { decodeAnswer, decodeText, encodeText } from '../../lib/iscsi/text.ts'
import { Secret } from '../../lib/properties/secret.ts'

const asked = parsePortal('10.0.0.1')

describe('CHAP responses', () => {
  // Computed by coreutils and Python: printf '\x05secret-of-host\x01…\x10' | md5sum, and so on.
  const vectors = {
    md5: 'bd3bfdbbc546d717c45052c893819470',
    sha1: 'e5e0bd39090a1421d8002ba73afb31639eea4134',
    sha256: '42b45eedca0a1620b9061900b15e9ee6b14aee50b7469f20bed9498f2f858a90',
    'sha3-256': '7addd003ffeb81c45a016494540209a0068cc5b55747ef5c39c97f395d693121',
  }
  for (const [hash, expected] of Object.entries(vectors)) {
    it(`with ${hash} are those of other programs`, () => {
      const challenge = Buffer.from(Array.from({ length: 16 }, (_, index) => index + 1))
      assert.equal(chapResponse(hash, 5, new Secret('secret-of-host'), challenge).toString('hex'), expected)
    })
  }
})

describe('binary values', () => {
  const values: Record<string, string> = {
    '0x00ff': '00ff',
    '0XaBc': '0abc',
    '0bAQID': '010203',
    '0BAQI=': '0102',
    '0bAQ==': '01',
  }
  for (const [text, bytes] of Object.entries(values)) {
    it(`are read from ${text}`, () => {
      assert.equal(readBinary(text, 16).toString('hex'), bytes)
    })
  }

  for (const text of [
    '',
    '0x',
    '0b',
    '00',
    'ff',
    '0xg0',
    '0bA',
    '0bAQ',
    '0bAQ=',
    '0bAQ==AQ==',
    '0b-_==',
    `0x${'00'.repeat(17)}`,
  ]) {
    it(`are not read from ${JSON.stringify(text)}`, () => {
      assert.throws(() => readBinary(text, 16), { name: 'BrickError', code: 'LOGIN_FAILED' })
    })
  }
})

it('requests have their fields where RFC 7143 has them', () => {
  const place = Buffer.from('8001020304050000', 'hex')
  const data = Buffer.from('a=b\0c')
  const request = { opcode: 3, immediate: true, flags: 0x87, place, taskTag: 1, transferTag: 2, command: 3, data }
  const expected = ['43870000', '00000005', '80010203', '04050000', '00000001', '00000002', '00000003', '00000004']
  assert.equal(encodeRequest(request, 4).toString('hex'), `${expected.join('')}${'00'.repeat(16)}613d620063000000`)
})

describe('whatever is received', () => {
  let seed = 5
  const below = (limit: number) => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) % limit
  const mutate = (bytes: Buffer): Buffer => {
    const copy = Buffer.from(bytes)
    for (let changes = 1 + below(4); changes > 0; changes--) copy[below(copy.length)] = below(256)
    const [from, to] = [below(copy.length), below(copy.length)]
    return [copy, copy.subarray(0, from), Buffer.concat([copy.subarray(0, to), copy.subarray(from)])][below(3)] ?? copy
  }
  const orRefused = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      if (error instanceof BrickError && error.code !== 'INVALID_ARGUMENT') return undefined
      throw error
    }
  }

  it('as a list of targets is read or refused', () => {
    const list = encodeText([
      ['TargetName', 'iqn.2026-11.test:1'],
      ['TargetAddress', '10.0.0.1:3260,1'],
      ['TargetAddress', '[fe80::1%eth0]:3260,65535'],
      ['TargetName', 'eui.0123456789abcdef'],
    ])
    let read = 0
    for (let round = 0; round < 5000; round++) {
      const targets = orRefused(() => parseTargets(mutate(list), asked))
      if (targets) read++
      for (const { portals } of targets ?? []) assert.ok(portals.length > 0)
    }
    assert.ok(read > 100 && read < 4900, `${read} read`)
  })

  it('as a text is read, and then says the same again, or refused', () => {
    const text = Buffer.from('AuthMethod=CHAP\0CHAP_A=7\0CHAP_C=0b////\0X-a=\0')
    for (let round = 0; round < 3000; round++) {
      const bytes = mutate(text)
      const keys = orRefused(() => decodeText(bytes))
      if (keys) assert.deepEqual(decodeText(encodeText(keys)), keys)
    }
  })

  it('as a challenge is answered or refused', () => {
    const challenge = Buffer.from('CHAP_A=7\0CHAP_I=12\0CHAP_C=0x0123456789abcdef\0')
    let read = 0
    for (let round = 0; round < 3000; round++) {
      const chap = new Chap({ method: 'CHAP', username: 'u', password: new Secret('p') })
      if (orRefused(() => chap.respond(decodeAnswer(mutate(challenge))))) read++
    }
    assert.ok(read > 10, `${read} read`)
  })

  it('as PDUs is read to its end or refused, however it is divided', async () => {
    const pdu = encodeRequest(
      {
        opcode: 0x24,
        immediate: false,
        flags: 0x80,
        taskTag: 1,
        transferTag: 2,
        command: 3,
        data: Buffer.from('a=b\0c=d\0'),
      },
      4,
    )
    const stream = Buffer.concat([pdu, pdu, pdu])
    let read = 0
    for (let round = 0; round < 800; round++) {
      const bytes = mutate(stream)
      const cut = below(bytes.length + 1)
      const whole = await all([bytes])
      const divided = await all([bytes.subarray(0, cut), bytes.subarray(cut)])
      assert.deepEqual(divided.responses, whole.responses)
      assert.equal(divided.refused, whole.refused)
      read += whole.responses.length
    }
    assert.ok(read > 250, `${read} read`)
  })
})

async function all(chunks: Buffer[]): Promise<{ responses: Response[]; refused: boolean }> {
  async function* stream(): AsyncGenerator<Buffer> {
    for (const chunk of chunks) yield await Promise.resolve(chunk)
  }
  const responses: Response[] = []
  try {
    for await (const response of readResponses(stream())) responses.push(response)
    return { responses, refused: false }
  } catch (error) {
    assert.ok(error instanceof BrickError, String(error))
    return { responses, refused: true }
  }
}
