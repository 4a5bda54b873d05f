/** NVMe with DH-HMAC-CHAP and TLS: that it connects who may, refuses who may not, and shows nobody's secrets. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { after, afterEach, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { crc32 } from 'node:zlib'
import { BrickError, discoverNvmeSubsystems, NVMeOFConnector } from 'hostbrick'
import type { ErrorCode, NvmeConnectSettings } from 'hostbrick'
import { startTlshd } from '../daemons.ts'
import { loadModules, run } from '../command.ts'
import { readDevice, writeDevice } from '../device.ts'
import { disconnectAll, nvmeHost, removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { Undo } from '../undo.ts'

const NQN = 'nqn.2026-11.lab:security'
const DISCOVERY = 'nqn.2014-08.org.nvmexpress.discovery'
const limit = { timeout: 60_000 }
const namespaces = { 1: { megabytes: 16 } }
const secrets = { host: secret(), controller: secret(), wrong: secret() }

let open: NvmeSubsystem
let ports: NvmePort[]
let clean: Snapshot
const undo = new Undo()
/** All that was told while the tests ran. */
const told: string[] = []
const listen = (message: unknown): void => {
  told.push(inspect(message, { depth: 20, showHidden: true }))
}

before(async () => {
  writeNvmeHost()
  undo.add(removeNvmeHost)
  loadModules('nvme_fabrics', 'nvme_tcp')
  const tlshd = await startTlshd()
  undo.add(() => tlshd.stop())
  for (const nqn of [NQN, DISCOVERY]) {
    run('nvme', 'gen-tls-key', `--hostnqn=${nvmeHost.nqn}`, `--subsysnqn=${nqn}`, '--identity=1', '--insert')
  }
  open = undo.keep(new NvmeSubsystem({ nqn: NQN, namespaces }))
  ports = [
    undo.keep(new NvmePort({ number: 1, address: '127.0.0.1', subsystems: [open] })),
    undo.keep(new NvmePort({ number: 2, address: '127.0.0.2', tls: true, subsystems: [open] })),
  ]
  undo.add(disconnectAll)
  await settled()
  clean = snapshot()
  subscribe('hostbrick:step', listen)
  undo.add(() => {
    unsubscribe('hostbrick:step', listen)
  })
})
after(() => undo.run())
afterEach(async () => {
  await assertNothingLeft(clean)
})

const at = (subsystem: NvmeSubsystem, address: string): Record<string, unknown> => ({
  target_nqn: subsystem.nqn,
  portals: [[address, 4420, 'tcp']],
  vol_uuid: subsystem.namespace(1).uuid,
})

/** Attaches, writes, reads back and detaches; returns whether the path says that it is secured. */
async function use(properties: Record<string, unknown>, settings: NvmeConnectSettings = {}): Promise<boolean[]> {
  const connector = new NVMeOFConnector({ settings })
  const content = randomBytes(65_536)
  const info = await connector.connectVolume(properties)
  writeDevice(info.path, content)
  assert.ok(readDevice(info.path, content.length).equals(content), 'what was written is there')
  await connector.disconnectVolume(properties, info)
  return info.paths.map(({ tls }) => tls === true)
}

/** A subsystem that lets this host in, if it shows its secret; while `test` runs. */
async function withClosed(
  controllerSecret: string | undefined,
  test: (closed: NvmeSubsystem) => Promise<void>,
): Promise<void> {
  const host = { nqn: nvmeHost.nqn, secret: secrets.host, ...(controllerSecret !== undefined && { controllerSecret }) }
  const closed = new NvmeSubsystem({ nqn: `${NQN}-closed`, namespaces, hosts: [host] })
  ports[0]?.serve(closed)
  try {
    await test(closed)
  } finally {
    ports[0]?.withdraw(closed)
    closed.remove()
  }
}

describe('a subsystem that wants to be shown a secret', limit, () => {
  it('is attached with the right one, from the properties or the settings', () =>
    withClosed(undefined, async (closed) => {
      await use({ ...at(closed, '127.0.0.1'), dhchap_secret: secrets.host })
      await use(at(closed, '127.0.0.1'), { dhchap_secret: secrets.host })
    }))

  it('is not with another, or none', () =>
    withClosed(undefined, async (closed) => {
      await rejects('AUTH_FAILED', use(at(closed, '127.0.0.1'), { dhchap_secret: secrets.wrong }))
      await rejects('AUTH_FAILED', use(at(closed, '127.0.0.1')))
    }))

  it('may have to show one in return', () =>
    withClosed(secrets.controller, async (closed) => {
      const both = { dhchap_secret: secrets.host, dhchap_ctrl_secret: secrets.controller }
      await use(at(closed, '127.0.0.1'), both)
      await rejects('AUTH_FAILED', use(at(closed, '127.0.0.1'), { ...both, dhchap_ctrl_secret: secrets.wrong }))
    }))
})

describe('a port that wants TLS', limit, () => {
  it('is connected with the key in the keyring, and says so', async () => {
    assert.deepEqual(await use({ ...at(open, '127.0.0.2'), tls: true }), [true])
    assert.deepEqual(await use(at(open, '127.0.0.1')), [false])
  })

  it('is not without a key for this subsystem', async () => {
    const other = new NvmeSubsystem({ nqn: `${NQN}-no-key`, namespaces: { 1: { megabytes: 8 } } })
    ports[1]?.serve(other)
    try {
      await rejects('AUTH_FAILED', use({ ...at(other, '127.0.0.2'), tls: true }))
    } finally {
      ports[1]?.withdraw(other)
      other.remove()
    }
  })

  it('is asked by TLS what there is', async () => {
    const found = await discoverNvmeSubsystems('127.0.0.2:4420', { settings: { tls: true } })
    assert.deepEqual(
      found.map(({ nqn, tls }) => [nqn, tls]),
      [
        [DISCOVERY, true],
        [NQN, true],
      ],
    )
  })

  it('is not replaced by a connection without', async () => {
    const plain = new NVMeOFConnector()
    const info = await plain.connectVolume(at(open, '127.0.0.1'))
    await rejects('LOGIN_FAILED', use({ ...at(open, '127.0.0.1'), tls: true }))
    await plain.disconnectVolume(at(open, '127.0.0.1'), info)
  })
})

describe('a secret', () => {
  it('is shown to nobody', () => {
    const shown = told.join('\n')
    assert.ok(told.length > 0, 'nothing was told')
    for (const each of Object.values(secrets)) {
      assert.ok(!shown.includes(each.split(':')[2] ?? each), 'a step or an error shows a secret')
    }
  })
})

/** Base Specification 2.0, 8.13.5.8: 32 bytes that are used as they are, and their CRC. */
function secret(): string {
  const key = randomBytes(32)
  const check = Buffer.alloc(4)
  check.writeUInt32LE(crc32(key))
  return `DHHC-1:00:${Buffer.concat([key, check]).toString('base64')}:`
}

async function rejects(code: ErrorCode, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    told.push(inspect(error, { depth: 20, showHidden: true }))
    assert.ok(error instanceof BrickError, String(error))
    assert.equal(error.code, code, error.message)
    return true
  })
}
