/** mdadm and cryptsetup, against stand-ins that note how they were called. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, afterEach, before, describe, it } from 'node:test'
import { luksClose, luksFormat, luksOpen, luksResize } from '../../lib/cli/cryptsetup.ts'
import { assembleMirror, createMirror, growMirror, stopArray, takeBackLeg } from '../../lib/cli/mdadm.ts'
import { BrickError } from '../../lib/errors.ts'
import { Secret } from '../../lib/properties/secret.ts'

const folder = mkdtempSync(`${tmpdir()}/hostbrick-tools-`)
const [calls, input, status] = ['calls', 'input', 'status'].map((name) => `${folder}/${name}`) as [
  string,
  string,
  string,
]
const path = process.env['PATH'] ?? ''
const never = new AbortController().signal
const key = new Secret('hunter2 hunter2')

const standIn = `#!/bin/sh
printf '%s ' "$@" >> ${calls}
cat > ${input}
echo "it said so" >&2
exit $(cat ${status})
`

before(() => {
  for (const name of ['mdadm', 'cryptsetup']) writeFileSync(`${folder}/${name}`, standIn, { mode: 0o755 })
  process.env['PATH'] = `${folder}:${path}`
})
after(() => {
  process.env['PATH'] = path
  rmSync(folder, { recursive: true })
})
afterEach(() => {
  rmSync(calls, { force: true })
  rmSync(input, { force: true })
})

async function called(code: number, call: () => Promise<void>): Promise<string> {
  writeFileSync(status, String(code))
  await call()
  return existsSync(calls) ? readFileSync(calls, 'utf8').trim() : ''
}

describe('mdadm', () => {
  const array = '/dev/md/volume-1'
  const legs = ['/dev/nvme0n1', '/dev/nvme1n1']
  const verbs: [string, () => Promise<void>, string][] = [
    [
      'creates',
      () => createMirror({ path: array, name: 'volume-1', legs }, never),
      '--create /dev/md/volume-1 --run --name volume-1 --homehost any --metadata 1.2 --level 1 --assume-clean ' +
        '--bitmap internal --failfast --raid-devices 2 /dev/nvme0n1 /dev/nvme1n1',
    ],
    [
      'assembles',
      () => assembleMirror(array, legs, never),
      '--assemble --run /dev/md/volume-1 /dev/nvme0n1 /dev/nvme1n1',
    ],
    ['takes back', () => takeBackLeg('/dev/md127', '/dev/nvme1n1', never), '--manage /dev/md127 --re-add /dev/nvme1n1'],
    ['grows', () => growMirror('/dev/md127', never), '--grow /dev/md127 --size max'],
    ['stops', () => stopArray('/dev/md127', never), '--stop /dev/md127'],
  ]
  for (const [name, call, expected] of verbs) {
    it(name, async () => {
      assert.equal(await called(0, call), expected)
      await assert.rejects(called(1, call), { code: 'TOOL_FAILED', message: 'mdadm: it said so' })
    })
  }
})

describe('cryptsetup', () => {
  const verbs: [string, () => Promise<void>, string][] = [
    [
      'formats',
      () => luksFormat('/dev/sda', { type: 'luks2', cipher: 'aes-xts-plain64', keySize: 512 }, key, never),
      'luksFormat --batch-mode --type luks2 --cipher aes-xts-plain64 --key-size 512 --key-file - /dev/sda',
    ],
    ['opens', () => luksOpen('/dev/sda', 'crypt-sda', key, never), 'open --type luks --key-file - /dev/sda crypt-sda'],
    ['resizes', () => luksResize('crypt-sda', key, never), 'resize --key-file - crypt-sda'],
  ]
  for (const [name, call, expected] of verbs) {
    it(`${name} with the key on its standard input, and nowhere else`, async () => {
      assert.equal(await called(0, call), expected)
      assert.equal(readFileSync(input, 'utf8'), key.reveal())
    })

    it(`${name}: failures are told apart, and show no key`, async () => {
      for (const [code, expectedCode] of [
        [1, 'TOOL_FAILED'],
        [2, 'AUTH_FAILED'],
        [4, 'DEVICE_NOT_FOUND'],
        [5, 'DEVICE_IN_USE'],
      ] as const) {
        await assert.rejects(called(code, call), (error) => {
          assert.ok(error instanceof BrickError, String(error))
          assert.equal(error.code, expectedCode)
          assert.ok(!`${error.message}${JSON.stringify(error)}`.includes('hunter2'), 'the key is shown')
          return true
        })
      }
    })
  }

  it('closes what is there, and what is not', async () => {
    assert.equal(await called(0, () => luksClose('crypt-sda', never)), 'close crypt-sda')
    await called(4, () => luksClose('crypt-sda', never))
    await assert.rejects(
      called(5, () => luksClose('crypt-sda', never)),
      { code: 'DEVICE_IN_USE' },
    )
  })
})
