/** Fibre Channel through the public API: FCoE between the guest's network cards, and the kernel's own target behind it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import { BrickError, FibreChannelConnector } from 'hostbrick'
import type { ErrorCode } from 'hostbrick'
import { readDevice, writeDevice } from '../device.ts'
import { Fabric } from '../fc-fabric.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'

const MEBIBYTE = 1024 * 1024
const connector = new FibreChannelConnector()

let fabric: Fabric
let clean: Snapshot
let volume: { target_wwn: string; target_lun: number }

before(async () => {
  fabric = await Fabric.start()
  for (const lun of [0, 1, 11, 255, 256, 300, 16684]) fabric.map(lun, { megabytes: 16 })
  volume = { target_wwn: fabric.target.portName, target_lun: 1 }
  await settled()
  clean = snapshot()
})
after(() => {
  fabric.remove()
})
afterEach(async () => {
  await assertNothingLeft(clean)
})

describe('a volume', () => {
  it('is attached, written, read back, extended and detached', async () => {
    const content = randomBytes(MEBIBYTE)
    const first = await connector.connectVolume(volume)
    console.log(JSON.stringify(first))
    assert.equal(first.size, 16 * MEBIBYTE)
    assert.equal(first.scsi_wwn, wwnOfSerial(fabric.serial(1)))
    writeDevice(first.path, content)
    fabric.grow(1, 32)
    assert.equal(await connector.extendVolume(volume, { expectedBytes: 32 * MEBIBYTE }), 32 * MEBIBYTE)
    await rejects('NOT_EXTENDED', connector.extendVolume(volume, { expectedBytes: 33 * MEBIBYTE }))
    await connector.disconnectVolume(volume, first)
    await assertNothingLeft(clean)

    const second = await connector.connectVolume(volume)
    assert.equal(second.identity.value, first.identity.value)
    assert.notEqual(second.identity.diskseq, first.identity.diskseq)
    assert.equal(readDevice(second.path, content.length).equals(content), true)
    await connector.disconnectVolume(volume, second)
  })

  it('is attached and detached 20 times in one process', async () => {
    const identities = new Set<string>()
    for (let round = 0; round < 20; round++) {
      const a = performance.now()
      const info = await connector.connectVolume(volume)
      const b = performance.now()
      identities.add(info.identity.value)
      await connector.disconnectVolume(volume, info)
      console.log((b - a).toFixed(0), (performance.now() - b).toFixed(0), JSON.stringify(info.timings))
    }
    assert.equal(identities.size, 1)
  })
})

async function rejects(code: ErrorCode, call: Promise<unknown>): Promise<BrickError> {
  const error: unknown = await call.then(
    (value) => assert.fail(`it succeeded: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  assert.equal(error instanceof BrickError && error.code, code, String(error))
  return error as BrickError
}

/** udev's name for the NAA designator that LIO makes of a serial number. */
function wwnOfSerial(serial: string): string {
  return `36001405${serial.replaceAll('-', '').slice(0, 25)}`
}
