import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { systemUuid, uuidOfDmiEntry } from '../../lib/host/system-uuid.ts'

const never = new AbortController().signal
const uuid = '0f6c1c3e-2c0f-4f6e-9a52-6f2d3a1b4c5d'
/** SMBIOS: type 1, 27 bytes, handle 1, four numbers of texts, the UUID with its first three fields little-endian. */
const entry = Buffer.from('011b0100' + '01020304' + '3e1c6c0f0f2c6e4f9a526f2d3a1b4c5d' + '060506', 'hex')

let root: string
beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/hostbrick-system-`)
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

function put(path: string, content: string | Buffer): void {
  mkdirSync(dirname(`${root}${path}`), { recursive: true })
  writeFileSync(`${root}${path}`, content)
}

const product = '/sys/class/dmi/id/product_uuid'
const raw = '/sys/firmware/dmi/entries/1-0/raw'
const partition = '/proc/device-tree/ibm,partition-uuid'

describe("the machine's UUID", () => {
  it("is the kernel's, in lower case", async () => {
    put(product, `${uuid.toUpperCase()}\n`)
    put(raw, Buffer.from(entry).fill(0x11, 8, 24))
    assert.equal(await systemUuid(root, never), uuid)
  })

  it("is SMBIOS's where the kernel has none", async () => {
    put(raw, entry)
    assert.equal(await systemUuid(root, never), uuid)
  })

  it("is the partition's on POWER", async () => {
    put(partition, `${uuid}\0`)
    assert.equal(await systemUuid(root, never), uuid)
  })

  for (const [name, text] of [
    ['zeros', '00000000-0000-0000-0000-000000000000'],
    ['ones', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'],
    ['something else', 'Not Settable'],
    ['nothing', ''],
  ] as const) {
    it(`is none when the firmware says ${name}`, async () => {
      put(product, `${text}\n`)
      assert.equal(await systemUuid(root, never), undefined)
    })
  }

  it('is none where there is no firmware to ask', async () => {
    assert.equal(await systemUuid(root, never), undefined)
  })
})

describe('an SMBIOS entry', () => {
  it('has the UUID after its header', () => {
    const copy = Buffer.from(entry)
    assert.equal(uuidOfDmiEntry(copy), uuid)
    assert.deepEqual(copy, entry, 'it is not changed')
  })

  it('of another type or cut short has none', () => {
    assert.equal(uuidOfDmiEntry(Buffer.concat([Buffer.from([2]), entry.subarray(1)])), undefined)
    for (const length of [0, 1, 8, 23]) assert.equal(uuidOfDmiEntry(entry.subarray(0, length)), undefined)
  })
})
