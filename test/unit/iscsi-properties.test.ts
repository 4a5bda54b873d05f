import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'

import { BrickError } from '../../lib/errors.ts'
import { formatPortal } from '../../lib/iscsi/portal.ts'
import { parseIscsiProperties, sameTargetName } from '../../lib/properties/iscsi.ts'
import { Secret } from '../../lib/properties/secret.ts'

const iqn = 'iqn.2010-10.org.openstack:volume-1'
const singular = { target_portal: '192.168.1.20:3260', target_iqn: iqn, target_lun: 1 }
const plural = {
  target_portals: ['10.0.0.1:3260', '10.0.1.1:3260'],
  target_iqns: [iqn, 'iqn.2010-10.org.openstack:volume-2'],
  target_luns: [1, '300'],
}
const chap = { auth_method: 'CHAP', auth_username: 'user', auth_password: 'pa55word' }

const targets = (value: unknown) =>
  parseIscsiProperties(value).targets.map((target) => `${formatPortal(target.portal)} ${target.iqn} ${target.lun}`)

describe('targets', () => {
  it('one, nested or flat', () => {
    const expected = [`192.168.1.20:3260 ${iqn} 1`]
    assert.deepEqual(targets(singular), expected)
    assert.deepEqual(targets({ driver_volume_type: 'iscsi', data: singular }), expected)
    assert.equal(parseIscsiProperties(singular).discovery, true)
  })

  it('several, with LUNs of their own and the addressing mode applied', () => {
    const properties = parseIscsiProperties({ ...plural, addressing_mode: 'SAM2' })
    assert.deepEqual(
      properties.targets.map(({ lun }) => lun),
      [1, 16684],
    )
    assert.equal(properties.addressingMode, 'SAM2')
    assert.equal(properties.discovery, false)
  })

  it('plural keys win', () => {
    assert.deepEqual(targets({ ...singular, ...plural }), [
      `10.0.0.1:3260 ${iqn} 1`,
      '10.0.1.1:3260 iqn.2010-10.org.openstack:volume-2 300',
    ])
  })

  it('plural keys count as a pair only', () => {
    for (const key of ['target_portals', 'target_iqns', 'target_luns']) {
      for (const absent of [null, []]) {
        if (key === 'target_luns' && absent !== null) continue
        assert.equal(targets({ ...singular, ...plural, [key]: absent }).length, key === 'target_luns' ? 2 : 1)
      }
    }
  })

  it('target_lun is everyone’s when there are no target_luns', () => {
    assert.deepEqual(
      parseIscsiProperties({ ...plural, target_luns: undefined, target_lun: '7' }).targets.map(({ lun }) => lun),
      [7, 7],
    )
  })

  it('an absent target_lun is 0, as in os-brick', () => {
    assert.deepEqual(targets({ target_portal: '10.0.0.1', target_iqn: iqn }), [`10.0.0.1:3260 ${iqn} 0`])
  })

  it('duplicates collapse, whatever their spelling', () => {
    const spelled = {
      target_portals: ['10.0.0.1', '10.0.0.1:3260', '[::ffff:10.0.0.1]:3260', '10.0.0.11'],
      target_iqns: [iqn, iqn.toUpperCase(), iqn, iqn],
      target_luns: [1, '1', 1, 1],
    }
    assert.deepEqual(targets(spelled), [`10.0.0.1:3260 ${iqn} 1`, `10.0.0.11:3260 ${iqn} 1`])
  })

  it('names keep their spelling and compare without case', () => {
    const [target] = parseIscsiProperties({ ...singular, target_iqn: 'iqn.2010-06.com.Acme:Vol_1' }).targets
    assert.equal(target?.iqn, 'iqn.2010-06.com.Acme:Vol_1')
    assert.ok(sameTargetName('iqn.2010-06.com.Acme:Vol_1', 'IQN.2010-06.com.acme:vol_1'))
    assert.ok(!sameTargetName('iqn.2010-06.com.acme:vol1', 'iqn.2010-06.com.acme:vol11'))
    for (const name of ['eui.02004567A425678D', 'naa.52004567BA64678D', 'naa.62004567BA64678D0123456789ABCDEF']) {
      assert.equal(targets({ ...singular, target_iqn: name }).length, 1)
    }
  })
})

describe('other keys', () => {
  const others = (value: unknown) =>
    Object.fromEntries(Object.entries(parseIscsiProperties(value)).filter(([key]) => key !== 'targets'))

  it('have defaults, and none that is absent appears', () => {
    assert.deepEqual(others(singular), { discovery: true, addressingMode: 'SAM', encrypted: false, accessMode: 'rw' })
  })

  it('are read, and unknown ones are ignored', () => {
    const read = others({
      ...singular,
      ...{
        encrypted: 'True',
        enforce_multipath: 1,
        access_mode: 'ro',
        device_path: '/dev/sda',
        volume_id: 'id',
        wwn: '36',
        qos_specs: null,
      },
    })
    assert.deepEqual(read, {
      discovery: true,
      addressingMode: 'SAM',
      encrypted: true,
      enforceMultipath: true,
      accessMode: 'ro',
      devicePath: '/dev/sda',
      volumeId: 'id',
      wwn: '36',
    })
  })

  it('None and empty texts are absent', () => {
    const empty = {
      addressing_mode: null,
      access_mode: null,
      device_path: '',
      wwn: null,
      auth_method: null,
      enforce_multipath: null,
    }
    assert.deepEqual(parseIscsiProperties({ ...singular, ...empty }), parseIscsiProperties(singular))
  })

  it('nothing is changed', () => {
    const frozen = Object.freeze({ ...plural, ...chap, target_luns: Object.freeze([1, '300']) })
    const before = JSON.stringify(frozen)
    parseIscsiProperties(Object.freeze({ driver_volume_type: 'iscsi', data: frozen }))
    assert.equal(JSON.stringify(frozen), before)
  })
})

describe('credentials', () => {
  const mutual = { auth_username_in: 'target', auth_password_in: '1nbound' }
  const discovery = { discovery_auth_method: 'chap', discovery_auth_username: 'd', discovery_auth_password: 'd1scover' }
  const properties = parseIscsiProperties({ ...singular, ...chap, ...mutual, ...discovery })

  it('are read', () => {
    assert.equal(properties.credentials?.username, 'user')
    assert.equal(properties.credentials.password.reveal(), 'pa55word')
    assert.equal(properties.credentials.usernameIn, 'target')
    assert.equal(properties.credentials.passwordIn?.reveal(), '1nbound')
    assert.equal(properties.discoveryCredentials?.password.reveal(), 'd1scover')
    assert.equal(properties.discoveryCredentials.usernameIn, undefined)
  })

  it('need a method', () => {
    for (const auth_method of [undefined, null, '', 'None']) {
      assert.equal(parseIscsiProperties({ ...singular, ...chap, auth_method }).credentials, undefined)
    }
  })

  it('are shown by nothing', () => {
    const { credentials } = properties
    const shown = [
      JSON.stringify(properties),
      inspect(properties, { depth: null, showHidden: true }),
      inspect(properties, { depth: null, customInspect: false, showHidden: true }),
      String(credentials?.password),
      inspect(structuredClone(properties), { depth: null, showHidden: true }),
    ].join()
    assert.doesNotMatch(shown, /pa55word|1nbound|d1scover/)
    assert.match(shown, /\[secret\]/)
  })

  it('are of no visible length', () => {
    assert.equal(String(new Secret('a')), String(new Secret('longer')))
  })
})

describe('errors', () => {
  const cases: [string, unknown, string][] = [
    ['no object', 'x', 'connection properties'],
    ['a list', [], 'connection properties'],
    ['nothing', {}, 'target_portal'],
    ['no portal', { target_iqn: iqn }, 'target_portal'],
    ['no name', { target_portal: '10.0.0.1' }, 'target_iqn'],
    ['a bad portal', { ...singular, target_portal: '10.0.0.256' }, 'target_portal'],
    ['a bad portal of several', { ...plural, target_portals: ['10.0.0.1', '10.0.0.2:0'] }, 'target_portals[1]'],
    ['a portal that is no text', { ...plural, target_portals: ['10.0.0.1', 5] }, 'target_portals[1]'],
    ['portals that are no list', { ...plural, target_portals: '10.0.0.1' }, 'target_portals'],
    ['fewer names than portals', { ...plural, target_iqns: [iqn] }, 'target_iqns'],
    ['fewer LUNs than portals', { ...plural, target_luns: [1] }, 'target_luns'],
    ['more LUNs than portals', { ...plural, target_luns: [1, 2, 3] }, 'target_luns'],
    ['no LUN for several', { ...plural, target_luns: null }, 'target_luns[0]'],
    ['a bad LUN', { ...singular, target_lun: 'x' }, 'target_lun'],
    ['a bad LUN of several', { ...plural, target_luns: [1, -1] }, 'target_luns[1]'],
    ['a LUN too high for its mode', { ...singular, target_lun: 20000, addressing_mode: 'SAM2' }, 'target_lun'],
    ['a bad mode', { ...singular, addressing_mode: 'SAM4' }, 'addressing_mode'],
    ['a bad access mode', { ...singular, access_mode: 'wo' }, 'access_mode'],
    ['a bad boolean', { ...singular, encrypted: 'maybe' }, 'encrypted'],
    ['a bad text', { ...singular, volume_id: 5 }, 'volume_id'],
    ['a bad method', { ...singular, ...chap, auth_method: 'SRP' }, 'auth_method'],
    ['no username', { ...singular, ...chap, auth_username: null }, 'auth_username'],
    ['no password', { ...singular, ...chap, auth_password: null }, 'auth_password'],
    ['a password that is no text', { ...singular, ...chap, auth_password: 5500550055 }, 'auth_password'],
    [
      'no discovery password',
      { ...singular, discovery_auth_method: 'CHAP', discovery_auth_username: 'd' },
      'discovery_auth_password',
    ],
    ['half of a mutual CHAP', { ...singular, ...chap, auth_password_in: 'x5500550055' }, 'auth_username_in'],
    ...[
      'volume-1',
      'iqn.2010-13.org.openstack:x',
      'iqn.10-10.org.openstack:x',
      'iqn.2010-10.',
      'iqn.2010-10.a/../../etc',
      'iqn.2010-10.a,1',
      'iqn.2010-10.a b',
      'iqn.2010-10.a\0',
      `iqn.2010-10.${'é'.repeat(106)}`,
      'eui.0123',
      'eui.02004567A425678G',
      'naa.62004567BA64678D01234567',
    ].map((name): [string, unknown, string] => [
      `the name ${inspect(name)}`,
      { ...singular, target_iqn: name },
      'target_iqn',
    ]),
  ]
  for (const [name, value, field] of cases) {
    it(`${name}: says ${field}, and no secret`, () => {
      assert.throws(
        () => parseIscsiProperties(value),
        (error) => {
          assert.ok(error instanceof BrickError && error.code === 'INVALID_ARGUMENT', String(error))
          assert.equal(error.details['field'], field)
          assert.doesNotMatch(inspect(error), /pa55word|5500550055/)
          return true
        },
      )
    })
  }
})

it('any properties are read or refused', () => {
  let seed = 11
  const below = (limit: number) => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) % limit
  const base: Record<string, unknown> = {
    ...singular,
    ...plural,
    ...chap,
    encrypted: false,
    wwn: '3',
    addressing_mode: 'SAM',
  }
  const keys = Object.keys(base)
  const odd: unknown[] = [
    null,
    undefined,
    '',
    'x',
    0,
    -1,
    1e300,
    NaN,
    true,
    [],
    {},
    [null],
    [[]],
    ['10.0.0.1'],
    '10.0.0.1',
    Symbol('x'),
    () => 1,
  ]
  let read = 0
  for (let round = 0; round < 4_000; round++) {
    const value = { ...base }
    for (let changes = 1 + below(3); changes > 0; changes--)
      value[keys[below(keys.length)] ?? ''] = odd[below(odd.length)]
    try {
      assert.ok(parseIscsiProperties(value).targets.length > 0)
      read++
    } catch (error) {
      assert.ok(error instanceof BrickError && error.code === 'INVALID_ARGUMENT', inspect([error, value]))
    }
  }
  assert.ok(read > 200)
})
