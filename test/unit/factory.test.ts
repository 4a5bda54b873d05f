import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import {
  FibreChannelConnector,
  HuaweiStorHyperConnector,
  InitiatorConnector,
  ISCSIConnector,
  LocalConnector,
  NVMeOFConnector,
} from '../../lib/index.ts'
import type { FactoryOptions } from '../../lib/index.ts'

const { factory } = InitiatorConnector

/** os-brick's names, and the machines for which it has them. */
const table: [string, new () => InitiatorConnector, string[]][] = [
  ['ISCSI', ISCSIConnector, ['x86_64', 'aarch64', 's390', 's390x', 'ppc64', 'ppc64le']],
  ['ISER', ISCSIConnector, ['x86_64', 'aarch64', 'ppc64', 'ppc64le']],
  ['FIBRE_CHANNEL', FibreChannelConnector, ['x86_64', 'aarch64', 's390', 's390x', 'ppc64', 'ppc64le']],
  ['NVME', NVMeOFConnector, ['x86_64', 'aarch64']],
  ['NVMEOF', NVMeOFConnector, ['x86_64', 'aarch64']],
  ['LOCAL', LocalConnector, ['x86_64', 'aarch64', 's390', 's390x', 'ppc64', 'ppc64le']],
  ['HUAWEISDSHYPERVISOR', HuaweiStorHyperConnector, ['x86_64', 'aarch64']],
]
const machines = ['x86_64', 'aarch64', 's390', 's390x', 'ppc64', 'ppc64le']

describe('InitiatorConnector.factory', () => {
  for (const [protocol, connector, known] of table) {
    for (const arch of machines) {
      const there = known.includes(arch)
      it(`${there ? 'makes' : 'refuses'} ${protocol} on ${arch}`, () => {
        if (there) assert.ok(factory(protocol, { arch }) instanceof connector, protocol)
        else assert.throws(() => factory(protocol, { arch }), { code: 'NOT_SUPPORTED', details: { protocol, arch } })
      })
    }
  }

  it('takes names in any case, as Cinder spells driver_volume_type', () => {
    for (const name of ['iscsi', 'Iscsi', 'iser', 'nvmeof', 'nvme', 'local', 'HuaweiSDSHypervisor']) {
      assert.equal(typeof factory(name, { arch: 'x86_64' }).connectVolume, 'function')
    }
  })

  it("is for this host's machine when none is named", () => {
    assert.ok(factory('iscsi') instanceof ISCSIConnector, 'a connector')
  })

  it('hands its options on', () => {
    const refused: [string, FactoryOptions, string][] = [
      ['ISCSI', { transport: 'a b' }, 'transport'],
      ['NVMEOF', { settings: { nr_io_queues: 0 } }, 'nr_io_queues'],
    ]
    for (const [protocol, options, field] of refused) {
      assert.throws(
        () => factory(protocol, { ...options, arch: 'x86_64' }),
        (error: { code?: string; details?: { field?: string } }) =>
          error.code === 'INVALID_ARGUMENT' && error.details?.field === field,
      )
    }
    // Over RDMA, whatever else is asked for.
    assert.ok(factory('ISER', { transport: 'a b', arch: 'x86_64' }) instanceof ISCSIConnector, 'a connector')
  })

  for (const protocol of ['', 'FTP', 'ISCSI ', '__proto__', 'constructor', undefined, null, 5]) {
    it(`says that there is no protocol ${inspect(protocol)}`, () => {
      assert.throws(() => factory(protocol as string), {
        name: 'BrickError',
        code: 'INVALID_ARGUMENT',
        details: { field: 'protocol', value: inspect(protocol) },
      })
    })
  }

  for (const protocol of ['rbd', 'NFS', 'scaleio', 'StorPool', 'lightos', 'GPFS', 'vmdk']) {
    it(`says that ${protocol} is os-brick's, and not hostbrick's`, () => {
      assert.throws(() => factory(protocol), {
        code: 'NOT_SUPPORTED',
        retryable: false,
        message: `protocol: hostbrick has no ${protocol.toUpperCase()}`,
        details: { protocol: protocol.toUpperCase() },
      })
    })
  }

  for (const arch of ['', null, 5]) {
    it(`refuses the machine ${inspect(arch)}`, () => {
      assert.throws(() => factory('ISCSI', { arch: arch as string }), { code: 'INVALID_ARGUMENT' })
    })
  }
})
