import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { BrickError } from '../../lib/errors.ts'
import { parsePage80, parsePage83 } from '../../lib/scsi/designators.ts'
import { compareUnits, identify, matchesWwn, sameUnit } from '../../lib/scsi/identity.ts'
import type { ScsiIdentity } from '../../lib/scsi/identity.ts'

const associations = { unit: 0, port: 0x10, target: 0x20 }
const types = {
  vendor: 0,
  t10: 1,
  eui: 2,
  naa: 3,
  relativePort: 4,
  portGroup: 5,
  unitGroup: 6,
  md5: 7,
  name: 8,
  uuid: 10,
}

type Descriptor = [association: keyof typeof associations, type: keyof typeof types, value: Buffer | string]

const hex = (text: string) => Buffer.from(text, 'hex')

function page(code: number, body: Buffer): Buffer {
  const header = Buffer.from([0, code, 0, 0])
  header.writeUInt16BE(body.length, 2)
  return Buffer.concat([header, body])
}

/** A text is an ASCII designator, a name one in UTF-8; a buffer is a binary one. */
function page83(...descriptors: Descriptor[]): Buffer {
  const parts = descriptors.map(([association, type, value]) => {
    const codeSet = Buffer.isBuffer(value) ? 1 : type === 'name' ? 3 : 2
    return Buffer.concat([
      Buffer.from([codeSet, associations[association] | types[type], 0, value.length]),
      Buffer.from(value),
    ])
  })
  return page(0x83, Buffer.concat(parts))
}

const page80 = (serial: string) => page(0x80, Buffer.from(serial))

function unit(...descriptors: Descriptor[]): ScsiIdentity {
  return identify({ page83: page83(...descriptors), vendor: 'ACME', model: 'Disk' })
}

const lioPort: Descriptor[] = [
  ['port', 'relativePort', hex('00000001')],
  ['port', 'portGroup', hex('00000000')],
  ['unit', 'unitGroup', hex('00000000')],
  ['port', 'name', 'iqn.2003-01.org.linux-iscsi.lab:vol1,t,0x0001\0\0\0'],
  ['target', 'name', 'iqn.2003-01.org.linux-iscsi.lab:vol1\0\0\0\0'],
]
/** Debian 12, LIO backstore of serial 11111111-2222-3333-4444-555555555555: os-brick says 360014051111111122223333444455555. */
const lio = {
  page83: page83(
    ['unit', 'naa', hex('60014051111111122223333444455555')],
    ['unit', 't10', 'LIO-ORG vol1:11111111-2222-3333-4444-555555555555\0'],
    ...lioPort,
  ),
  page80: page80('11111111-2222-3333-4444-555555555555'),
  vendor: 'LIO-ORG ',
  model: 'vol1            ',
}

interface Sample {
  name: string
  pages: Parameters<typeof identify>[0]
  kernel: string | null
  udev: string | null
  multipath: string | null
  serial: string | null
  wwns: string[]
}

const samples: Sample[] = [
  {
    name: 'LIO',
    pages: lio,
    kernel: 'naa.60014051111111122223333444455555',
    udev: '360014051111111122223333444455555',
    multipath: '360014051111111122223333444455555',
    serial: '11111111-2222-3333-4444-555555555555',
    wwns: [
      '360014051111111122223333444455555',
      '60014051111111122223333444455555',
      'NAA.60014051111111122223333444455555',
      '0x60014051111111122223333444455555',
      'wwn-0x60014051111111122223333444455555',
      'scsi-360014051111111122223333444455555',
      't10.LIO-ORG vol1:11111111-2222-3333-4444-555555555555   ',
    ],
  },
  {
    name: 'LIO without NAA',
    pages: { page83: page83(['unit', 't10', 'LIO-ORG vol  1:1234\0'], ...lioPort), vendor: 'LIO-ORG', model: 'vol 1' },
    kernel: 't10.LIO-ORG vol  1:1234\\0',
    udev: '1LIO-ORG_vol_1:1234',
    multipath: '1LIO-ORG_vol_1:1234',
    serial: null,
    wwns: [
      '1LIO-ORG_vol_1:1234',
      '1LIO-ORG vol  1:1234',
      'scsi-1LIO-ORG_vol_1:1234',
      't10.LIO-ORG vol  1:1234',
      't10.LIO-ORG vol  1:1234\\0',
    ],
  },
  {
    name: 'a Hitachi array, whose T10 is longer than its NAA',
    pages: {
      page83: page83(
        ['unit', 't10', 'HITACHI 5030C3502025'],
        ['port', 'vendor', hex('0803')],
        ['unit', 'naa', hex('60060e8007c350000030c35000002025')],
      ),
      vendor: 'HITACHI',
      model: 'OPEN-V',
    },
    kernel: 'naa.60060e8007c350000030c35000002025',
    udev: '360060e8007c350000030c35000002025',
    multipath: '360060e8007c350000030c35000002025',
    serial: null,
    wwns: ['60060E8007C350000030C35000002025', 't10.HITACHI 5030C3502025'],
  },
  {
    name: 'an array with every kind',
    pages: {
      page83: page83(
        ['target', 'naa', hex('5000097208123456')],
        ['port', 'naa', hex('500009720812345a')],
        ['unit', 'vendor', hex('00ff')],
        ['unit', 'md5', hex('00112233445566778899aabbccddeeff')],
        ['unit', 'eui', hex('0002ac0000000012')],
        ['unit', 'naa', hex('50002ac000000012')],
        ['unit', 'naa', hex('60002ac0000000000000001200012345')],
        ['unit', 'uuid', hex('1000f81d4fae7dec11d0a76500a0c91e6bf6')],
        ['unit', 'name', 'naa.60002AC0000000000000001200012345\0\0\0\0'],
      ),
      page80: page80('  CZ3836C3RX  '),
      vendor: '3PARdata',
      model: 'VV',
    },
    kernel: 'naa.60002AC0000000000000001200012345',
    udev: '360002ac0000000000000001200012345',
    multipath: '360002ac0000000000000001200012345',
    serial: 'CZ3836C3RX',
    wwns: [
      '360002ac0000000000000001200012345',
      '350002ac000000012',
      '50002AC000000012',
      'eui.0002ac0000000012',
      '20002ac0000000012',
      'F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6',
    ],
  },
  {
    name: 'scsi_debug',
    pages: {
      page83: page83(
        ['unit', 't10', 'Linux   scsi_debug      2000'],
        ['unit', 'naa', hex('3333333000007d00')],
        ['port', 'relativePort', hex('00000001')],
        ['port', 'naa', hex('3222222000007d01')],
        ['target', 'name', 'naa.3222222000007D00'],
      ),
      page80: page80('2000'),
      vendor: 'Linux',
      model: 'scsi_debug',
    },
    // T10 and NAA 3 have one rank there; of equals the kernel takes the last.
    kernel: 'naa.3333333000007d00',
    udev: '33333333000007d00',
    multipath: '1Linux_scsi_debug_2000',
    serial: '2000',
    wwns: ['33333333000007d00', '1Linux_scsi_debug_2000', 'naa.3333333000007d00', 't10.Linux   scsi_debug      2000'],
  },
  {
    name: 'a unit of a QEMU disk',
    pages: { page83: page83(['unit', 'vendor', 'drive-scsi0/0']), vendor: 'QEMU', model: 'QEMU HARDDISK' },
    kernel: null,
    udev: '0QEMU_QEMU_HARDDISK_drive-scsi0_0',
    multipath: null,
    serial: null,
    wwns: ['0QEMU_QEMU_HARDDISK_drive-scsi0_0', 'scsi-0QEMU_QEMU_HARDDISK_drive-scsi0_0'],
  },
  {
    name: 'a unit with a serial number only',
    pages: { page80: page80(' ab 12\0'), vendor: 'ACME', model: 'Disk' },
    kernel: null,
    udev: 'SACME_Disk_ab_12',
    multipath: null,
    serial: 'ab 12',
    wwns: ['SACME_Disk_ab_12'],
  },
  {
    name: 'a SCSI-2 Symmetrix',
    pages: { page83: page(0x83, hex('60060480000187461033533030334532')), vendor: 'EMC', model: 'SYMMETRIX' },
    kernel: null,
    udev: '360060480000187461033533030334532',
    multipath: null,
    serial: null,
    wwns: ['360060480000187461033533030334532', '60060480000187461033533030334532'],
  },
  {
    name: 'an iqn name and EUI-64s',
    pages: {
      page83: page83(
        ['unit', 'eui', hex('0011223344556677')],
        ['unit', 'eui', hex('00112233445566778899aabb')],
        ['unit', 'name', 'iqn.2010-06.Com.acme:array,L,0x0001\0'],
      ),
      vendor: 'ACME',
      model: 'Disk',
    },
    kernel: 'iqn.2010-06.Com.acme:array,L,0x0001',
    udev: '20011223344556677',
    multipath: '20011223344556677',
    serial: null,
    wwns: ['0011223344556677', '200112233445566778899AABB', 'IQN.2010-06.com.acme:array,L,0x0001'],
  },
  {
    name: 'NAA 2, which the kernel does not rank, and an NAA 6 of a wrong length, which multipathd passes over',
    pages: {
      page83: page83(['unit', 'naa', hex('2011223344556677')], ['unit', 'naa', hex('6011223344556677')]),
      vendor: 'ACME',
      model: 'Disk',
    },
    kernel: 'naa.6011223344556677',
    udev: '36011223344556677',
    multipath: '32011223344556677',
    serial: null,
    wwns: ['2011223344556677'],
  },
  {
    name: 'a SCSI name string that is shorter than the NAA, which the kernel then keeps',
    pages: {
      page83: page83(['unit', 'naa', hex('60002ac0000000000000001200099999')], ['unit', 'name', 'eui.01234567']),
      vendor: 'ACME',
      model: 'Disk',
    },
    kernel: 'naa.60002ac0000000000000001200099999',
    udev: '360002ac0000000000000001200099999',
    multipath: '360002ac0000000000000001200099999',
    serial: null,
    wwns: ['naa.60002ac0000000000000001200099999'],
  },
  {
    name: 'an unconfigured unit, which answers with blanks',
    pages: { page83: page83(['unit', 't10', ' '.repeat(16)]), page80: page80('    '), vendor: 'IBM', model: '3542' },
    kernel: 't10.',
    udev: null,
    multipath: null,
    serial: null,
    wwns: [],
  },
]

describe('identify', () => {
  for (const { name, pages, kernel, udev, multipath, serial, wwns } of samples) {
    it(`names ${name} as the kernel, udev and multipathd do`, () => {
      const identity = identify(pages)
      assert.deepEqual(
        [identity.names.kernel, identity.names.udev, identity.names.multipath],
        [kernel, udev, multipath],
      )
      assert.deepEqual(JSON.parse(JSON.stringify(identity.names)), { kernel, udev, multipath })
      assert.equal(identity.serial, serial)
      assert.equal(identity.key, multipath ?? udev ?? kernel)
      for (const wwn of wwns) assert.ok(matchesWwn(identity, wwn), wwn)
    })
  }

  it('tells samples apart', () => {
    const identities = samples.map(({ pages }) => identify(pages))
    for (const [a, one] of identities.entries()) {
      for (const [b, other] of identities.entries()) {
        if (a === b) continue
        assert.ok(!sameUnit(one, other))
        for (const wwn of samples[b]?.wwns ?? []) assert.ok(!matchesWwn(one, wwn), wwn)
      }
    }
  })
})

describe('parsePage83', () => {
  it('keeps the designators of ports and targets, apart', () => {
    const listed = parsePage83(lio.page83).map(({ association, type, value }) => [association, type, value])
    assert.deepEqual(listed, [
      ['unit', 'naa', 'naa.60014051111111122223333444455555'],
      ['unit', 't10', 't10.LIO-ORG vol1:11111111-2222-3333-4444-555555555555'],
      ['port', 'relative-port', 'relative-port.00000001'],
      ['port', 'port-group', 'port-group.00000000'],
      ['unit', 'unit-group', 'unit-group.00000000'],
      ['port', 'name', 'iqn.2003-01.org.linux-iscsi.lab:vol1,t,0x0001'],
      ['target', 'name', 'iqn.2003-01.org.linux-iscsi.lab:vol1'],
    ])
  })

  it('reads binary and ASCII forms of one NAA alike', () => {
    const [binary] = parsePage83(page83(['unit', 'naa', hex('50002ac000000012')]))
    const [ascii] = parsePage83(page83(['unit', 'naa', '50002AC000000012']))
    assert.equal(binary?.value, ascii?.value)
  })

  it('takes padding, inside and after the page', () => {
    const padded = page(
      0x83,
      Buffer.concat([page83(['unit', 'eui', hex('0011223344556677')]).subarray(4), Buffer.alloc(7)]),
    )
    assert.equal(parsePage83(Buffer.concat([padded, Buffer.from('garbage')])).length, 1)
  })

  it('refuses what does not add up', () => {
    const lying = page83(['unit', 'naa', hex('60014051111111122223333444455555')])
    lying[7] = 17
    const bad = [
      Buffer.alloc(0),
      Buffer.from([0, 0x83, 0]),
      lio.page80,
      lying,
      page(0x83, Buffer.from([1, 3])),
      lio.page83.subarray(0, -1),
    ]
    for (const buffer of bad)
      assert.throws(() => parsePage83(buffer), { name: 'BrickError', code: 'IDENTITY_MISMATCH' })
  })
})

describe('parsePage80', () => {
  it('refuses another page and a cut off one', () => {
    for (const buffer of [lio.page83, lio.page80.subarray(0, 9), Buffer.alloc(0)]) {
      assert.throws(() => parsePage80(buffer), { name: 'BrickError', code: 'IDENTITY_MISMATCH' })
    }
  })

  it('does not choke on blanks', () => {
    const serial = `x${' '.repeat(65_000)}y`
    assert.equal(parsePage80(page80(serial)), serial)
    assert.equal(identify({ page80: page80(serial), vendor: 'A', model: 'B' }).names.udev, null)
  })
})

const naa = (value: string): Descriptor => ['unit', 'naa', hex(value)]
const [naa6, other6, naa5] = [naa(`6${'1'.repeat(31)}`), naa(`6${'2'.repeat(31)}`), naa('5000000000000012')]
const t10: Descriptor = ['unit', 't10', 'ACME    Disk one']
const none = identify({ vendor: 'ACME', model: 'Disk' })

describe('sameUnit', () => {
  const cases: [string, boolean, ScsiIdentity, ScsiIdentity][] = [
    ['the same NAA', true, unit(naa6), unit(naa6)],
    [
      'the same NAA through another port',
      true,
      unit(naa6, ['port', 'naa', hex('5000000000000001')]),
      unit(naa6, ['port', 'naa', hex('5000000000000002')]),
    ],
    ['an NAA more', true, unit(naa6, naa5), unit(naa6)],
    ['the same NAA, once as a name', true, unit(naa6), unit(['unit', 'name', `NAA.6${'1'.repeat(31)}\0\0\0\0`])],
    ['the same NAA with another T10 text', true, unit(naa6, t10), unit(naa6, ['unit', 't10', 'ACME    Disk two'])],
    ['another NAA', false, unit(naa6), unit(other6)],
    ['another NAA with the same T10 text', false, unit(naa6, t10), unit(other6, t10)],
    ['the same NAA 5, but another NAA 6', false, unit(naa6, naa5), unit(other6, naa5)],
    ['the same NAA of the target only', false, unit(['target', 'naa', naa5[2]]), unit(['target', 'naa', naa5[2]])],
    ['different kinds of NAA', false, unit(naa6), unit(naa5)],
    ['a world-wide name on one side only', false, unit(naa6, t10), unit(t10)],
    [
      'the same UUID',
      true,
      unit(['unit', 'uuid', hex(`1000${'ab'.repeat(16)}`)]),
      unit(['unit', 'uuid', hex(`1000${'ab'.repeat(16)}`)]),
    ],
    [
      'an NAA and an EUI-64 of the same digits',
      false,
      unit(['unit', 'naa', hex('5000000000000012')]),
      unit(['unit', 'eui', hex('5000000000000012')]),
    ],
    ['the same T10 text', true, unit(t10), unit(['unit', 't10', 'ACME    Disk one  \0'])],
    ['T10 texts of other case', false, unit(t10), unit(['unit', 't10', 'ACME    Disk One'])],
    [
      'the same T10 text, but another serial',
      false,
      identify({ page83: page83(t10), page80: page80('1'), vendor: 'A', model: 'B' }),
      identify({ page83: page83(t10), page80: page80('2'), vendor: 'A', model: 'B' }),
    ],
    [
      'the same serial',
      true,
      identify({ page80: page80('1'), vendor: 'A', model: 'B' }),
      identify({ page80: page80('1 '), vendor: 'A ', model: 'B' }),
    ],
    [
      'the same serial of another model',
      false,
      identify({ page80: page80('1'), vendor: 'A', model: 'B' }),
      identify({ page80: page80('1'), vendor: 'A', model: 'C' }),
    ],
    ['blank T10 texts', false, unit(['unit', 't10', 'ACME    ']), unit(['unit', 't10', 'ACME    '])],
    ['blank NAAs', false, unit(naa(`6${'0'.repeat(31)}`)), unit(naa(`6${'0'.repeat(31)}`))],
    ['nothing at all', false, none, none],
  ]
  for (const [name, expected, a, b] of cases) {
    it(`${name}: ${expected ? 'proven' : 'not proven'}`, () => {
      assert.equal(sameUnit(a, b), expected)
      assert.equal(sameUnit(b, a), expected)
    })
  }
})

describe('compareUnits', () => {
  const cases: [string, ReturnType<typeof compareUnits>, ScsiIdentity | null, ScsiIdentity][] = [
    ['the same NAA', 'same', unit(naa6), unit(naa6)],
    ['another NAA', 'another', unit(naa6), unit(other6)],
    ['another T10 text without a world-wide name', 'another', unit(t10), unit(['unit', 't10', 'ACME    Disk two'])],
    ['no note', 'unknown', null, unit(naa6)],
    ['a note that says nothing', 'unknown', none, unit(naa6)],
    ['a unit that says nothing', 'unknown', unit(naa6), none],
    ['a world-wide name in the note only', 'unknown', unit(naa6, t10), unit(t10)],
    ['a world-wide name of the unit only', 'unknown', unit(t10), unit(naa6, t10)],
  ]
  for (const [name, expected, noted, live] of cases) {
    it(`${name}: ${expected}`, () => {
      assert.equal(compareUnits(noted, live), expected)
    })
  }
})

describe('matchesWwn', () => {
  const identity = identify(lio)
  for (const wwn of [
    '',
    ' ',
    '3',
    '36001405111111112222333344445555',
    '60014051111111122223333444455556',
    '6001405111111112222333344445555',
    'naa.6001405111111112',
    '0x6001405111111112',
    '260014051111111122223333444455555',
    'eui.60014051111111122223333444455555',
    'x360014051111111122223333444455555',
    '360014051111111122223333444455555-part1',
    't10.lio-org vol1:11111111-2222-3333-4444-555555555555',
    't10.LIO-ORG ',
    '11111111-2222-3333-4444-555555555555',
  ]) {
    it(`refuses ${JSON.stringify(wwn)}`, () => {
      assert.ok(!matchesWwn(identity, wwn))
    })
  }

  it('never takes a blank name', () => {
    assert.ok(!matchesWwn(unit(['unit', 't10', 'ACME    ']), '1ACME'))
    assert.ok(!matchesWwn(unit(['unit', 'naa', Buffer.alloc(16)]), '0'.repeat(32)))
  })
})

it('any page is parsed or refused, whole designators only', () => {
  let seed = 3
  const below = (limit: number) => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) % limit
  const pages = samples.flatMap(({ pages: sample }) => sample.page83 ?? [])
  let parsed = 0
  for (let round = 0; round < 5_000; round++) {
    const buffer = Buffer.from(pages[below(pages.length)] ?? '')
    for (let flips = below(4); flips > 0; flips--) buffer[below(buffer.length)] = below(256)
    const cut = below(3) === 0 ? buffer.subarray(0, below(buffer.length + 1)) : buffer
    try {
      const identity = identify({
        page83: cut,
        page80: round % 2 ? undefined : lio.page80,
        vendor: 'ACME',
        model: 'Disk',
      })
      const size = identity.designators.reduce((sum, { bytes }) => sum + bytes.length, 0)
      assert.ok(size <= cut.length - 4)
      const { kernel, udev, multipath } = identity.names
      for (const name of [udev, multipath]) assert.ok(name === null || name.length < 256)
      assert.ok(kernel === null || kernel.length <= 4 + 4 * 255)
      parsed++
    } catch (error) {
      assert.ok(error instanceof BrickError && error.code === 'IDENTITY_MISMATCH', String(error))
    }
  }
  assert.ok(parsed > 1000)
})
