import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseWwn } from '../../lib/fc/wwn.ts'
import { parseFibreChannelProperties } from '../../lib/properties/fibre-channel.ts'

const port = '20210002ac00383d'
const other = '20220002ac00383d'

const targets = (value: object): string[] =>
  parseFibreChannelProperties(value).targets.map(({ portName, lun }) => `${portName} ${lun}`)

describe('a world-wide name', () => {
  for (const text of [
    port,
    '20210002AC00383D',
    '0x20210002ac00383d',
    '20:21:00:02:ac:00:38:3d',
    '20:21:00:02:AC:00:38:3D',
  ]) {
    it(`is the same as ${text}`, () => {
      assert.equal(parseWwn(text, 'target_wwn'), port)
    })
  }

  for (const wrong of [
    '',
    '2021',
    `${port}00`,
    '20210002ac00383g',
    '0x',
    ':20210002ac00383d',
    '20210002ac00383d:',
    1,
    null,
    {},
  ]) {
    it(`is not ${JSON.stringify(wrong)}`, () => {
      assert.throws(() => parseWwn(wrong, 'target_wwn'), { code: 'INVALID_ARGUMENT', message: /^target_wwn: / })
    })
  }
})

describe('targets', () => {
  it('one, as a text or a list, nested or flat', () => {
    const expected = [`${port} 1`]
    assert.deepEqual(targets({ target_wwn: port, target_lun: 1 }), expected)
    assert.deepEqual(targets({ target_wwn: [port], target_lun: '1' }), expected)
    assert.deepEqual(targets({ target_wwns: [port.toUpperCase()], target_luns: ['1'] }), expected)
    const data = { target_wwn: port, target_lun: 1 }
    assert.deepEqual(targets({ driver_volume_type: 'fibre_channel', data }), expected)
  })

  it('several, with one LUN for all or one each', () => {
    assert.deepEqual(targets({ target_wwn: [port, other], target_lun: 3 }), [`${port} 3`, `${other} 3`])
    assert.deepEqual(targets({ target_wwn: [port, other], target_luns: [3] }), [`${port} 3`, `${other} 3`])
    assert.deepEqual(targets({ target_wwns: [port, other], target_luns: [3, '4'] }), [`${port} 3`, `${other} 4`])
  })

  it('plural keys win, each for itself', () => {
    const singular = { target_wwn: other, target_lun: 7 }
    assert.deepEqual(targets({ ...singular, target_wwns: [port] }), [`${port} 7`])
    assert.deepEqual(targets({ ...singular, target_luns: [8] }), [`${other} 8`])
    assert.deepEqual(targets({ ...singular, target_wwns: [], target_luns: null }), [`${other} 7`])
  })

  it('one port may have several LUNs, and the same twice is once', () => {
    assert.deepEqual(targets({ target_wwns: [port, port, port.toUpperCase()], target_luns: [1, 2, 1] }), [
      `${port} 1`,
      `${port} 2`,
    ])
  })

  it('an absent target_lun is 0, as in os-brick', () => {
    assert.deepEqual(targets({ target_wwn: port }), [`${port} 0`])
  })

  it('have the addressing mode applied once', () => {
    const luns = { target_wwn: port, target_luns: [300] }
    assert.deepEqual(targets({ ...luns, addressing_mode: 'SAM2' }), [`${port} 16684`])
    assert.deepEqual(targets({ ...luns, addressing_mode: 'SAM3-flat' }), [`${port} 16684`])
    assert.deepEqual(targets(luns), [`${port} 300`])
  })
})

describe('properties', () => {
  it('are never changed', () => {
    const given = Object.freeze({
      target_wwn: Object.freeze([port.toUpperCase()]),
      target_lun: 1,
      initiator_target_map: null,
    })
    assert.equal(parseFibreChannelProperties(given).initiators, undefined)
  })

  it('say which ports may be used from which', () => {
    const map = { '21000024FF59FE90': [port.toUpperCase(), 'ffffffffffffffff'] }
    const { initiators } = parseFibreChannelProperties({ target_wwn: port, initiator_target_map: map })
    assert.deepEqual([...(initiators ?? [])], [['21000024ff59fe90', [port, 'ffffffffffffffff']]])
  })

  it('of real backends are taken as they are', () => {
    const pure = {
      target_lun: 300,
      target_luns: [300, 300, 12, 12],
      target_wwns: ['524a937000000000', '524a937000000001', '524a937000000010', '524a937000000011'],
      target_wwn: ['524a937000000000', '524a937000000001', '524a937000000010', '524a937000000011'],
      initiator_target_map: { '21000024ff59fe90': ['524a937000000000'] },
      addressing_mode: 'SAM2',
      discard: true,
      target_discovered: true,
      wwn: '3624a93708ebe6d5e1ba4422500011e80',
    }
    const { wwn, wildcard, accessMode, targets: found } = parseFibreChannelProperties(pure)
    assert.deepEqual([wwn, wildcard, accessMode], [pure.wwn, true, 'rw'])
    assert.deepEqual(
      found.map(({ lun }) => lun),
      [16684, 16684, 12, 12],
    )
  })

  const malformed: Record<string, object> = {
    target_wwn: {},
    'target_wwn ': { target_wwn: [] },
    target_wwns: { target_wwns: [port, 'x'] },
    target_lun: { target_wwn: port, target_lun: 'x' },
    'target_lun ': { target_wwn: port, target_lun: -1 },
    target_luns: { target_wwn: [port, other, port], target_luns: [1, 2] },
    addressing_mode: { target_wwn: port, addressing_mode: 'SAM9' },
    access_mode: { target_wwn: port, access_mode: 'wo' },
    initiator_target_map: { target_wwn: port, initiator_target_map: [port] },
    'initiator_target_map.x': { target_wwn: port, initiator_target_map: { x: [port] } },
    [`initiator_target_map.${port}`]: { target_wwn: port, initiator_target_map: { [port]: port } },
    enable_wildcard_scan: { target_wwn: port, enable_wildcard_scan: 'maybe' },
  }
  for (const [key, value] of Object.entries(malformed)) {
    it(`are refused for their ${key.trim()}: ${JSON.stringify(value)}`, () => {
      assert.throws(
        () => parseFibreChannelProperties(value),
        (error: Error & { code?: string }) => {
          return error.code === 'INVALID_ARGUMENT' && error.message.startsWith(key.trim())
        },
      )
    })
  }
})
