import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'

import {
  byPathLun,
  decodeLun,
  encodeLun,
  kernelLun,
  parseAddressingMode,
  parseLun,
  toKernelLun,
} from '../../lib/scsi/lun.ts'

const refused = { name: 'BrickError', code: 'INVALID_ARGUMENT' }

describe('parseLun', () => {
  for (const [given, lun] of [
    [0, 0],
    ['0', 0],
    ['7', 7],
    ['007', 7],
    [255, 255],
    ['16684', 16684],
    [2 ** 53 - 1, 2 ** 53 - 1],
  ] as const) {
    it(`reads ${JSON.stringify(given)}`, () => {
      assert.equal(parseLun(given), lun)
    })
  }

  for (const given of [
    'x',
    '',
    ' 1',
    '1 ',
    '-1',
    -1,
    1.5,
    '1.5',
    '0x10',
    '1e3',
    NaN,
    Infinity,
    2 ** 53,
    '9223372036854775808',
    true,
    null,
    undefined,
    [1],
    {},
  ]) {
    it(`refuses ${inspect(given)}`, () => {
      assert.throws(() => parseLun(given, 'target_luns[3]'), { ...refused, message: /^target_luns\[3\]: / })
    })
  }
})

describe('addressing modes', () => {
  it('are four, and absent means SAM', () => {
    for (const mode of ['SAM', 'transparent', 'SAM2', 'SAM3-flat']) assert.equal(parseAddressingMode(mode), mode)
    assert.equal(parseAddressingMode(undefined), 'SAM')
    assert.equal(parseAddressingMode(null), 'SAM')
    for (const mode of ['sam2', 'SAM3', '', 2, {}]) assert.throws(() => parseAddressingMode(mode), refused)
  })

  // By-path texts are os-brick's (facts/os-brick.md 7.1) and udev's.
  const cases = [
    [0, 'SAM', 0, '0'],
    [255, 'SAM', 255, '255'],
    [256, 'SAM', 256, '0x0100000000000000'],
    [300, 'transparent', 300, '0x012c000000000000'],
    [255, 'SAM2', 255, '255'],
    [256, 'SAM2', 16640, '0x4100000000000000'],
    [300, 'SAM2', 16684, '0x412c000000000000'],
    [16383, 'SAM2', 32767, '0x7fff000000000000'],
    [0, 'SAM3-flat', 16384, '0x4000000000000000'],
    [300, 'SAM3-flat', 16684, '0x412c000000000000'],
  ] as const
  for (const [given, mode, kernel, path] of cases) {
    it(`${mode} makes ${kernel} of ${given}`, () => {
      const lun = toKernelLun(parseLun(given), mode)
      assert.equal(lun, kernel)
      assert.equal(byPathLun(lun), path)
    })
  }

  it('refuse what 14 bits cannot hold', () => {
    assert.throws(() => toKernelLun(parseLun(16384), 'SAM2'), refused)
    assert.throws(() => toKernelLun(parseLun(16384), 'SAM3-flat'), refused)
    assert.equal(toKernelLun(parseLun(16384), 'SAM'), 16384)
  })

  it('cannot be applied twice', () => {
    const lun = toKernelLun(parseLun(300), 'SAM2')
    // @ts-expect-error -- the compiler refuses it
    assert.equal(toKernelLun(lun, 'SAM'), 16684)
    // @ts-expect-error -- and a LUN that nobody has parsed
    assert.equal(toKernelLun(1, 'SAM'), 1)
  })
})

describe('wire form', () => {
  for (const [wire, lun] of [
    ['0000000000000000', 0],
    ['00ff000000000000', 255],
    ['412c000000000000', 16684],
    ['c101000000000000', 49409],
    ['d201000500000000', 0x5d201],
    ['0001000200030000', 0x300020001],
  ] as const) {
    it(`${wire} is ${lun}`, () => {
      assert.equal(decodeLun(Buffer.from(wire, 'hex')), lun)
      assert.equal(encodeLun(kernelLun(lun)).toString('hex'), wire)
    })
  }

  it('has values that no number holds', () => {
    assert.equal(decodeLun(Buffer.from('0000000000000020', 'hex')), undefined)
    assert.equal(decodeLun(Buffer.from('ffffffffffff001f', 'hex')), 2 ** 53 - 1)
  })
})
