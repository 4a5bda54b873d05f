import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { BrickError } from '../../lib/errors.ts'
import { formatAddress } from '../../lib/nvme/address.ts'
import { parseNvmeofProperties } from '../../lib/properties/nvmeof.ts'
import { Secret } from '../../lib/properties/secret.ts'

const uuid = '9a0d35d0-175a-11e4-8c21-0800200c9a66'
const nguid = '8ccf0968006f7d0123456789abcdef01'
const hostNqn = `nqn.2014-08.org.nvmexpress:uuid:${uuid}`
const fc = 'nn-0x20001100aa000002:pn-0x20001100ab000002'
const old = { nqn: 'nqn.nvme-subsystem-1-vol', target_portal: '1.1.1.1', target_port: 4420, transport_type: 'rdma' }
const several = {
  target_nqn: 'nqn.2010-06.com.purestorage:flasharray.1',
  portals: [
    ['10.0.0.1', 4420, 'tcp'],
    ['10.0.1.1', '4420', 'tcp'],
  ],
}
const replicated = {
  vol_uuid: uuid,
  alias: 'volume-6d54cb90-a5d1-40d8',
  writable: true,
  replica_count: 2,
  volume_replicas: [
    { vol_uuid: '9b30ec12-75b9-4a53-be32-111111111111', target_nqn: 'nqn.r1', portals: [['10.0.0.1', '4420', 'TCP']] },
    {
      vol_uuid: '9b30ec12-75b9-4a53-be32-222222222222',
      target_nqn: 'nqn.r2',
      portals: [['10.0.0.2', '4420', 'RoCEv2']],
    },
  ],
}

const places = (value: unknown) =>
  parseNvmeofProperties(value).targets.map(({ nqn, addresses }) => [
    nqn,
    ...addresses.map((each) => formatAddress(each)),
  ])

describe('a target', () => {
  it('in the old form', () => {
    assert.deepEqual(parseNvmeofProperties({ driver_volume_type: 'nvmeof', data: { ...old, ns_id: '10' } }), {
      targets: [
        { nqn: old.nqn, addresses: [{ transport: 'rdma', traddr: '1.1.1.1', trsvcid: 4420 }], namespaceId: 10 },
      ],
      settings: {},
      encrypted: false,
      accessMode: 'rw',
    })
    const rsd = { ...old, target_port: '4420', transport_type: 'tcp', host_nqn: hostNqn }
    assert.deepEqual(places(rsd), [[old.nqn, 'tcp 1.1.1.1:4420']])
    assert.equal(parseNvmeofProperties(rsd).hostNqn, hostNqn)
  })

  it('in the new form, with all that names its namespace', () => {
    const given = { ...several, vol_uuid: uuid.toUpperCase(), volume_nguid: nguid, ns_id: 10, host_nqn: hostNqn }
    const properties = parseNvmeofProperties(given)
    assert.deepEqual(places(given), [[several.target_nqn, 'tcp 10.0.0.1:4420', 'tcp 10.0.1.1:4420']])
    const [target] = properties.targets
    assert.deepEqual([target?.uuid, target?.nguid, target?.namespaceId], [uuid, nguid, 10])
    assert.equal(properties.replication, undefined)
  })

  it('may be known by its EUI-64 alone', () => {
    const [target] = parseNvmeofProperties({ ...several, volume_eui64: '00-11-22-33-44-55-66-AA' }).targets
    assert.equal(target?.eui64, '00112233445566aa')
  })

  it('may be known by nothing, or by what looks like something else', () => {
    const [bare] = parseNvmeofProperties({ ...several, vol_uuid: null, volume_nguid: '', ns_id: null }).targets
    assert.deepEqual(Object.keys(bare ?? {}).sort(), ['addresses', 'nqn'])
    const hyphens = `${nguid.slice(0, 8)}-${nguid.slice(8, 12)}-${nguid.slice(12, 16)}-${nguid.slice(16, 20)}-${nguid.slice(20)}`
    assert.equal(parseNvmeofProperties({ ...several, volume_nguid: hyphens }).targets[0]?.nguid, nguid)
    assert.equal(parseNvmeofProperties({ ...several, vol_uuid: uuid.replaceAll('-', '') }).targets[0]?.uuid, uuid)
  })

  it('has portals of every transport under its own name', () => {
    const portals = [
      ['array.', 4420, 'tcp'],
      ['2001:DB8:0::1', '8009', 'rdma'],
      [fc, null, 'fc'],
      [fc, 'none', 'FC'],
      [null, null, 'loop'],
    ]
    assert.deepEqual(places({ ...several, portals }), [
      [several.target_nqn, 'tcp array:4420', 'rdma [2001:db8::1]:8009', `fc ${fc}`, 'loop'],
    ])
  })

  it('has each portal once, whatever its spelling', () => {
    const portals = [
      ['10.0.0.1', 4420, 'tcp'],
      ['::ffff:10.0.0.1', '4420', 'TCP'],
      ['10.0.0.11', 4420, 'tcp'],
    ]
    assert.deepEqual(places({ ...several, portals }), [[several.target_nqn, 'tcp 10.0.0.1:4420', 'tcp 10.0.0.11:4420']])
  })

  it('is reached from where the host says', () => {
    const given = { ...several, host_traddr: '10.0.0.9', host_iface: 'eth0' }
    for (const { hostTraddr, hostIface } of parseNvmeofProperties(given).targets[0]?.addresses ?? []) {
      assert.deepEqual([hostTraddr, hostIface], ['10.0.0.9', 'eth0'])
    }
  })

  it('is read without a change of what was given', () => {
    for (const given of [old, several, replicated]) {
      const copy = structuredClone(given)
      parseNvmeofProperties(given)
      assert.deepEqual(given, copy)
    }
  })
})

describe('a replicated volume', () => {
  it('has legs with names of their own, and an array', () => {
    const { targets, replication } = parseNvmeofProperties(replicated)
    assert.deepEqual(places(replicated), [
      ['nqn.r1', 'tcp 10.0.0.1:4420'],
      ['nqn.r2', 'rdma 10.0.0.2:4420'],
    ])
    assert.deepEqual(
      targets.map(({ uuid: leg }) => leg?.slice(-4)),
      ['1111', '2222'],
    )
    assert.deepEqual(replication, { alias: replicated.alias, replicas: 2 })
  })

  it('has as many as there are unless it says more', () => {
    assert.equal(parseNvmeofProperties({ ...replicated, replica_count: null }).replication?.replicas, 2)
    assert.equal(parseNvmeofProperties({ ...replicated, replica_count: '3' }).replication?.replicas, 3)
  })
})

describe('settings', () => {
  it('are the kernel’s', () => {
    const secret = 'DHHC-1:01:hiddenhiddenhiddenhiddenhiddenhiddenhidden+/=:'
    const { settings } = parseNvmeofProperties({
      ...several,
      nr_io_queues: '4',
      ctrl_loss_tmo: -1,
      fast_io_fail_tmo: '-1',
      reconnect_delay: 5,
      keep_alive_tmo: 0,
      hdr_digest: true,
      data_digest: 'false',
      tls: 1,
      dhchap_secret: secret,
    })
    const { dhchap_secret: kept, ...rest } = settings
    assert.ok(kept instanceof Secret, 'no Secret')
    assert.equal(kept.reveal(), secret)
    assert.deepEqual(rest, {
      nr_io_queues: 4,
      ctrl_loss_tmo: -1,
      fast_io_fail_tmo: -1,
      reconnect_delay: 5,
      keep_alive_tmo: 0,
      hdr_digest: true,
      tls: true,
    })
  })

  it('are all that a connect takes', () => {
    const given = {
      ...{ nr_write_queues: 2, nr_poll_queues: 1, queue_size: 16, tos: 255, disable_sqflow: true },
      ...{ keyring: 291, tls_key: '4711' },
    }
    assert.deepEqual(parseNvmeofProperties({ ...several, ...given }).settings, { ...given, tls_key: 4711 })
  })

  it('of the connector are for what the properties do not say', () => {
    const defaults = { nr_io_queues: 2, tos: 8, host_traddr: '10.0.0.9', tls: undefined }
    const { settings, targets } = parseNvmeofProperties({ data: { ...several, tos: 9, nr_io_queues: null } }, defaults)
    assert.deepEqual(settings, { nr_io_queues: 2, tos: 9 })
    assert.equal(targets[0]?.addresses[0]?.hostTraddr, '10.0.0.9')
  })

  it('show no secret', () => {
    const given = { ...several, dhchap_secret: 'DHHC-1:00:hidden:', dhchap_ctrl_secret: 'DHHC-1:00:hidden+:' }
    assert.ok(
      !`${inspect(parseNvmeofProperties(given), { depth: 9 })}${JSON.stringify(parseNvmeofProperties(given))}`.includes(
        'hidden',
      ),
      'shown',
    )
    for (const bad of [
      'hidden',
      ['hidden'],
      'DHHC-1:00:hidden',
      'DHHC-1:00:hidden:,tls',
      'DHHC-1:09:hidden:',
      'DHHC-1:00:hidden:\n',
    ]) {
      assert.throws(
        () => parseNvmeofProperties({ ...several, dhchap_secret: bad }),
        (error) =>
          error instanceof BrickError &&
          error.code === 'INVALID_ARGUMENT' &&
          !inspect(error, { depth: 9 }).includes('hidden'),
      )
    }
  })
})

describe('what is malformed is named:', () => {
  const refused: [string, unknown][] = [
    ['volume_eui64', { ...several, volume_eui64: nguid }],
    ['queue_size', { ...several, queue_size: 1025 }],
    ['tos', { ...several, tos: 256 }],
    ['tls_key', { ...several, tls_key: 0 }],
    ['connection properties', null],
    ['connection properties', 'nqn'],
    ['nqn', {}],
    ['nqn', { ...old, nqn: undefined }],
    ['nqn', { ...old, nqn: 'iqn.2010-10.org:x' }],
    ['nqn', { ...old, nqn: 'nqn.a,tls' }],
    ['target_portal: traddr', { ...old, target_portal: null }],
    ['target_portal: traddr', { ...old, target_portal: '1.1.1.1:4420' }],
    ['target_portal: trsvcid', { ...old, target_port: 'x' }],
    ['transport_type', { ...old, transport_type: undefined }],
    ['transport_type', { ...old, transport_type: 'iscsi' }],
    ['ns_id', { ...old, ns_id: 0 }],
    ['ns_id', { ...old, ns_id: '-1' }],
    ['ns_id', { ...old, ns_id: '0x1' }],
    ['ns_id', { ...old, ns_id: 1.5 }],
    ['ns_id', { ...old, ns_id: 0xffffffff }],
    ['ns_id', { ...old, ns_id: true }],
    ['target_nqn', { ...several, target_nqn: 5 }],
    ['portals', { ...several, portals: undefined }],
    ['portals', { ...several, portals: [] }],
    ['portals', { ...several, portals: '10.0.0.1' }],
    ['portals[0]', { ...several, portals: ['10.0.0.1'] }],
    ['portals[1]', { ...several, portals: [several.portals[0], ['10.0.0.1', 4420]] }],
    ['portals[0]: transport', { ...several, portals: [['10.0.0.1', 4420, 'ib']] }],
    ['portals[0]: traddr', { ...several, portals: [['10.0.0.256', 4420, 'tcp']] }],
    ['portals[0]: trsvcid', { ...several, portals: [['10.0.0.1', 0, 'tcp']] }],
    ['portals[0]: traddr', { ...several, portals: [['10.0.0.1', 4420, 'fc']] }],
    ['portals[0]: host_traddr', { ...several, host_traddr: 'a b' }],
    ['vol_uuid', { ...several, vol_uuid: 'volume-1' }],
    ['volume_nguid', { ...several, volume_nguid: nguid.slice(1) }],
    ['host_nqn', { ...several, host_nqn: 'host' }],
    ['host_id', { ...several, host_id: 'host' }],
    ['access_mode', { ...several, access_mode: 'r' }],
    ['encrypted', { ...several, encrypted: 'maybe' }],
    ['ctrl_loss_tmo', { ...several, ctrl_loss_tmo: -2 }],
    ['reconnect_delay', { ...several, reconnect_delay: 0 }],
    ['nr_io_queues', { ...several, nr_io_queues: 'many' }],
    ['volume_replicas', { ...replicated, volume_replicas: 'x' }],
    ['volume_replicas', { ...replicated, volume_replicas: [] }],
    ['volume_replicas[0]', { ...replicated, volume_replicas: ['x'] }],
    ['volume_replicas[1].target_nqn', { ...replicated, volume_replicas: [replicated.volume_replicas[0], {}] }],
    ['volume_replicas[0].portals', { ...replicated, volume_replicas: [{ target_nqn: 'nqn.r1' }] }],
    ['volume_replicas[0].vol_uuid', { ...replicated, volume_replicas: [{ ...several, vol_uuid: 'x' }] }],
    ['alias', { ...replicated, alias: undefined }],
    ['alias', { ...replicated, alias: '../../etc' }],
    ['alias', { ...replicated, alias: '-x' }],
    ['alias', { ...replicated, alias: 'host:volume' }],
    ['replica_count', { ...replicated, replica_count: 0 }],
    ['replica_count', { ...replicated, replica_count: 'two' }],
  ]
  for (const [field, given] of refused) {
    it(`${field} in ${inspect(given, { depth: 4, breakLength: Infinity }).slice(0, 150)}`, () => {
      assert.throws(
        () => parseNvmeofProperties(given),
        (error) =>
          error instanceof BrickError && error.code === 'INVALID_ARGUMENT' && error.message.startsWith(`${field}: `),
      )
    })
  }
})
