import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { BrickError } from '../../lib/errors.ts'
import { idInName } from '../../lib/host/nvme-host.ts'
import { nvmeAddress } from '../../lib/nvme/address.ts'
import { addressOptions, optionText, parseOptionList } from '../../lib/nvme/fabrics.ts'
import { nguidText, nvmeName, uuidText } from '../../lib/nvme/names.ts'
import { Secret } from '../../lib/properties/secret.ts'

describe('the options of a connect', () => {
  it('are written as the kernel reads them', () => {
    const where = addressOptions(nvmeAddress('tcp', { traddr: '10.0.0.1', hostIface: 'eth0' }, 'x'))
    const options = { ...where, nqn: 'nqn.x', ctrl_loss_tmo: -1, tls: true, dhchap_secret: new Secret('DHHC-1:00:a:') }
    assert.equal(
      optionText(options as Parameters<typeof optionText>[0]).reveal(),
      'transport=tcp,traddr=10.0.0.1,trsvcid=4420,host_iface=eth0,nqn=nqn.x,ctrl_loss_tmo=-1,tls,dhchap_secret=DHHC-1:00:a:',
    )
    assert.equal(optionText(addressOptions(nvmeAddress('loop', {}, 'x'))).reveal(), 'transport=loop')
  })

  it('over Fibre Channel begin at a port of this host', () => {
    const fc = nvmeAddress('fc', { traddr: 'nn-0x20001100aa000002:pn-0x20001100ab000002' }, 'x')
    assert.throws(() => addressOptions(fc), { code: 'INVALID_ARGUMENT', message: /^host_traddr: / })
  })

  it('are a secret', () => {
    assert.ok(!inspect(optionText({ dhchap_secret: new Secret('hidden') })).includes('hidden'))
  })

  for (const value of ['', 'a,b', 'a\nb', 'a\0', ',']) {
    it(`have no value ${JSON.stringify(value)}`, () => {
      assert.throws(() => optionText({ nqn: value }), { code: 'INVALID_ARGUMENT', message: /^nqn: / })
      assert.throws(
        () => optionText({ dhchap_secret: new Secret(`hidden${value}`), hostnqn: value }),
        (error) => error instanceof BrickError && !inspect(error, { depth: 9 }).includes('hidden'),
      )
    })
  }
})

it('the list of options is read without what is none', () => {
  const list = 'instance=-1,cntlid=-1,transport=%s,traddr=%s,ctrl_loss_tmo=%d,duplicate_connect,hdr_digest\n'
  assert.deepEqual(
    [...parseOptionList(list)],
    [...['transport', 'traddr', 'ctrl_loss_tmo', 'duplicate_connect', 'hdr_digest']],
  )
  assert.equal(parseOptionList('').size, 0)
})

describe('names', () => {
  it('are taken as backends write them', () => {
    for (const name of [
      'nqn.2014-08.org.nvmexpress:uuid:0',
      'nqn.nvme-subsystem-1-volume',
      'nqn.r1',
      `nqn.${'é'.repeat(109)}`,
    ]) {
      assert.equal(nvmeName(name, 'x'), name)
    }
  })

  for (const name of [
    '',
    'nqn.',
    'iqn.2010-10.org:x',
    'NQN.x',
    'nqn.a b',
    'nqn.a,b',
    'nqn.a\n',
    `nqn.${'é'.repeat(110)}`,
    null,
    1,
  ]) {
    it(`are not ${inspect(name)}`, () => {
      assert.throws(() => nvmeName(name, 'target_nqn'), { code: 'INVALID_ARGUMENT', message: /^target_nqn: / })
    })
  }

  it('of namespaces are read with and without hyphens, in any case', () => {
    const uuid = '9a0d35d0-175a-11e4-8c21-0800200c9a66'
    for (const written of [uuid, uuid.toUpperCase(), uuid.replaceAll('-', '')]) {
      assert.equal(uuidText(written, 'x'), uuid)
      assert.equal(nguidText(written, 'x'), uuid.replaceAll('-', ''))
    }
    for (const written of ['', 'x', uuid.slice(1), `${uuid}0`, '0'.repeat(32), null, 5]) {
      assert.throws(() => uuidText(written, 'vol_uuid'), { code: 'INVALID_ARGUMENT', message: /^vol_uuid: / })
      assert.throws(() => nguidText(written, 'volume_nguid'), { code: 'INVALID_ARGUMENT' })
    }
  })

  it('of hosts have their id in them', () => {
    const uuid = '9a0d35d0-175a-11e4-8c21-0800200c9a66'
    assert.equal(idInName(`nqn.2014-08.org.nvmexpress:uuid:${uuid.toUpperCase()}`), uuid)
    assert.equal(idInName(`nqn.2014-08.org.nvmexpress:uuid:${uuid}0`), undefined)
    assert.equal(idInName('nqn.2026-11.test:host'), undefined)
  })
})
