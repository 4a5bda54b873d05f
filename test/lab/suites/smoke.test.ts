/** Proves the lab itself, so that a failure elsewhere is a failure of the product. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { release } from 'node:os'
import { basename } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { run } from '../command.ts'
import { startIscsid, startMultipathd, type Daemon } from '../daemons.ts'
import { blackHole, delay } from '../network.ts'
import { OsBrick } from '../os-brick.ts'
import { assertNothingLeft, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'
import { until } from '../wait.ts'

const IQN = 'iqn.2026-11.lab:smoke'
const [FIRST, SECOND, OVER_IPV6] = ['127.0.0.1:3260', '127.0.0.2:3260', '[::1]:3260']
const PORTALS = [FIRST, SECOND, OVER_IPV6]

let iscsid: Daemon
let clean: Snapshot

before(async () => {
  iscsid = await startIscsid()
  clean = snapshot()
})
after(async () => {
  await iscsid.stop()
})

it('runs the kernel that the lab is built with', () => {
  console.log(`kernel ${release()}`)
  assert.match(release(), /^6\.12\./)
})

describe('an iSCSI target', () => {
  let target: IscsiTarget
  before(() => {
    target = iscsiTarget({ iqn: IQN, portals: PORTALS, luns: { 0: { megabytes: 64 }, 11: { megabytes: 32 } } })
  })
  after(() => {
    target.remove()
  })

  for (const portal of PORTALS) {
    it(`is there at ${portal}`, async () => {
      await inSession(portal, async () => {
        const disk = await diskOfLun(0)
        assert.equal(megabytes(disk), 64)
        assert.equal(megabytes(await diskOfLun(11)), 32)
        assert.equal(naa(disk), naaOfSerial(target.serial(0)))
      })
    })
  }

  it('grows under a session', async () => {
    await inSession(FIRST, async () => {
      const disk = await diskOfLun(0)
      target.grow(0, 96)
      assert.equal(megabytes(disk), 64)
      rescan(disk)
      assert.equal(megabytes(disk), 96)
    })
  })

  it('shows another identity under the same LUN after a swap', async () => {
    await inSession(FIRST, async () => {
      const serial = randomUUID()
      const disk = await diskOfLun(11)
      target.swap(11, { megabytes: 32, serial })
      rescan(disk)
      assert.equal(naa(disk), naaOfSerial(serial))
    })
  })

  it('gains and loses a LUN under a session', async () => {
    await inSession(FIRST, async () => {
      await diskOfLun(0)
      target.map(5, { megabytes: 16 })
      run('iscsiadm', '-m', 'session', '--rescan')
      const disk = await diskOfLun(5)
      target.unmap(5)
      writeFileSync(`/sys/class/block/${disk}/device/delete`, '1')
      run('iscsiadm', '-m', 'session', '--rescan')
      assert.ok(!readdirSync('/sys/class/scsi_device').some((address) => address.endsWith(':5')))
    })
  })

  it('is out of reach behind a black hole, until that is lifted', async () => {
    const fault = blackHole('127.0.0.2', 3260)
    assert.equal(await reach('127.0.0.1', 3260), 'connected')
    assert.equal(await reach('127.0.0.2', 3260), 'no answer')
    fault.lift()
    assert.equal(await reach('127.0.0.2', 3260), 'connected')
    assert.equal(await reach('127.0.0.2', 3261), 'ECONNREFUSED')
  })

  it('is far away behind a slow link', async () => {
    const fault = delay(100)
    const start = performance.now()
    assert.equal(await reach('127.0.0.1', 3260), 'connected')
    fault.lift()
    assert.ok(performance.now() - start > 200)
  })

  it('is attached and detached by os-brick', async () => {
    const osBrick = OsBrick.start()
    const properties = { target_portal: FIRST, target_iqn: IQN, target_lun: 0 }
    const attached = await osBrick.connect('ISCSI', properties)
    assert.match(String(attached.info['path']), /^\/dev\/sd/)
    const detached = await osBrick.disconnect('ISCSI', properties, attached.info)
    await osBrick.stop()
    console.log(`os-brick: ${Math.round(attached.milliseconds)} + ${Math.round(detached.milliseconds)} ms`)
  })

  it('is attached and detached by os-brick through multipathd', async () => {
    const multipathd = await startMultipathd()
    const osBrick = OsBrick.start()
    const properties = { target_portals: [FIRST, SECOND], target_iqns: [IQN, IQN], target_luns: [0, 0] }
    const attached = await osBrick.connect('ISCSI', properties, { multipath: true })
    assert.match(String(attached.info['path']), /^\/dev\/dm-/)
    await osBrick.disconnect('ISCSI', properties, attached.info, { multipath: true })
    await osBrick.stop()
    await multipathd.stop()
  })

  it('leaves nothing behind', async () => {
    await assertNothingLeft(clean)
  })
})

describe('a second target of the same name, with CHAP both ways', () => {
  const settings = {
    'node.session.auth.authmethod': 'CHAP',
    'node.session.auth.username': 'initiator',
    'node.session.auth.password': 'what-the-initiator-says',
    'node.session.auth.username_in': 'target',
    'node.session.auth.password_in': 'what-the-target-says',
  }
  let target: IscsiTarget
  before(() => {
    target = iscsiTarget({
      iqn: IQN,
      portals: PORTALS,
      luns: { 0: { megabytes: 16 } },
      chap: {
        username: 'initiator',
        password: 'what-the-initiator-says',
        usernameIn: 'target',
        passwordIn: 'what-the-target-says',
      },
    })
  })
  after(() => {
    target.remove()
  })

  it('lets in whoever knows the secrets', async () => {
    await inSession(FIRST, () => diskOfLun(0), settings)
  })

  it('lets in nobody else', async () => {
    const guess = { ...settings, 'node.session.auth.password': 'a-guess' }
    await assert.rejects(
      inSession(FIRST, () => diskOfLun(0), guess),
      /authorization failure/,
    )
  })

  it('leaves nothing behind either', async () => {
    await assertNothingLeft(clean)
  })
})

/** Runs the work within a session of iscsiadm's making, of which no trace remains, however the work ends. */
async function inSession(portal: string, work: () => Promise<unknown>, settings: Record<string, string> = {}) {
  const node = ['-m', 'node', '-T', IQN, '-p', portal]
  run('iscsiadm', ...node, '--op', 'new')
  try {
    for (const [name, value] of Object.entries(settings)) {
      run('iscsiadm', ...node, '--op', 'update', '-n', name, '-v', value)
    }
    run('iscsiadm', ...node, '--login')
    try {
      await work()
    } finally {
      run('iscsiadm', ...node, '--logout')
    }
  } finally {
    run('iscsiadm', ...node, '--op', 'delete')
  }
}

/** The only disk with this LUN, once it is there. */
async function diskOfLun(lun: number): Promise<string> {
  const find = () => readdirSync('/sys/class/block').find((name) => name.startsWith('sd') && lunOf(name) === lun)
  await until(`LUN ${lun} is there`, () => find() !== undefined)
  return find() ?? assert.fail()
}

function lunOf(disk: string): number {
  const address = basename(readlinkSync(`/sys/class/block/${disk}/device`)) // host:channel:target:lun
  return Number(address.split(':').at(-1))
}

function megabytes(disk: string): number {
  const sectors = Number(readFileSync(`/sys/class/block/${disk}/size`, 'utf8'))
  return (sectors * 512) / (1024 * 1024)
}

function rescan(disk: string): void {
  writeFileSync(`/sys/class/block/${disk}/device/rescan`, '1')
}

function naa(disk: string): string {
  return readFileSync(`/sys/class/block/${disk}/device/wwid`, 'utf8').trim()
}

/** LIO's NAA designator: its own company, and as much of the serial number as there is room for. */
function naaOfSerial(serial: string): string {
  return `naa.6001405${serial.replaceAll('-', '').slice(0, 25)}`
}

/** What becomes of a TCP connection to there within a second. */
async function reach(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 })
    const end = (outcome: string) => {
      socket.destroy()
      resolve(outcome)
    }
    socket.on('connect', () => {
      end('connected')
    })
    socket.on('timeout', () => {
      end('no answer')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      end(error.code ?? error.message)
    })
  })
}
