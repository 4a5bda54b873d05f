import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { firstListening } from '../../lib/network/probe.ts'
import type { Portal } from '../../lib/network/portal.ts'

const never = new AbortController().signal
const portal = (host: string, port: number): Portal => ({ host, family: 'ipv4', port })
const nobody = portal('127.0.0.1', 1)

describe('of several portals', () => {
  it('the one at which somebody listens is found, who does not get to see it', async () => {
    const server = createServer(() => assert.fail('a connection'))
    server.listen(0, '127.0.0.3')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const found = await firstListening([nobody, portal('127.0.0.3', port), nobody], {}, never).answer
    assert.deepEqual(found, portal('127.0.0.3', port))
    assert.deepEqual(await firstListening([found], { address: '127.0.0.9' }, never).answer, found)
    await assert.rejects(firstListening([found], { address: '192.0.2.1' }, never).answer, {
      code: 'PORTAL_UNREACHABLE',
    })
    server.close()
    await once(server, 'close')
  })

  it('none may answer', async () => {
    await assert.rejects(firstListening([nobody, portal('127.0.0.2', 1)], {}, never).answer, {
      code: 'PORTAL_UNREACHABLE',
      message: 'portal 127.0.0.1:1: ECONNREFUSED',
    })
  })

  it('none is waited for after the signal', async () => {
    const reason = new Error('enough')
    await assert.rejects(firstListening([nobody], {}, AbortSignal.abort(reason)).answer, (error) => error === reason)
  })
})
