import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InitiatorConnector } from '../../lib/index.ts'
import { formatPortal } from '../../lib/network/portal.ts'
import { parseSdsProperties } from '../../lib/properties/huawei.ts'
import { parseIscsiProperties } from '../../lib/properties/iscsi.ts'
import { parseLocalProperties } from '../../lib/properties/local.ts'
import { parseNvmeofProperties } from '../../lib/properties/nvmeof.ts'
import { dsware, iscsiDocuments, nvmeofDocuments, sdsHypervisor } from './cinder-documents.ts'
import type { CinderDocument } from './cinder-documents.ts'

const iscsiPaths = (value: unknown): string[] =>
  parseIscsiProperties(value).targets.map(({ portal, iqn, lun }) => `${formatPortal(portal)} ${iqn} ${lun}`)

const nvmeofTargets = (value: unknown): object[] =>
  parseNvmeofProperties(value).targets.map(({ addresses, ...names }) => ({
    ...names,
    addresses: addresses.map(({ transport, traddr, trsvcid = '' }) => `${transport} ${traddr} ${trsvcid}`),
  }))

/** Nested, flat as the attachment API has it, and both once more as they come out of a database. */
function forms(document: CinderDocument): unknown[] {
  const { driver_volume_type, data } = document
  const both = [document, { driver_volume_type, ...data }]
  return [...both, ...both.map((each) => JSON.parse(JSON.stringify(each)) as unknown)]
}

function understood(
  name: string,
  document: CinderDocument,
  expected: unknown,
  parse: (value: unknown) => unknown,
): void {
  it(name, () => {
    const before = structuredClone(document)
    for (const form of forms(document)) assert.deepEqual(parse(form), expected)
    assert.deepEqual(document, before)
    assert.equal(typeof InitiatorConnector.factory(document.driver_volume_type, { arch: 'x86_64' }), 'object')
  })
}

describe('connection information of Cinder over iSCSI is understood:', () => {
  for (const [backend, document, paths] of iscsiDocuments) understood(backend, document, paths, iscsiPaths)

  it("with the backend's own name of the volume, with CHAP, and without showing it", () => {
    const parsed = iscsiDocuments.map(([backend, document]) => [backend, parseIscsiProperties(document)] as const)
    const [, pure] = parsed.find(([backend]) => backend.startsWith('Pure')) ?? []
    assert.equal(pure?.wwn, '3624a93709a738ed78583fd120013902b')
    const [, netapp] = parsed.find(([backend]) => backend.startsWith('NetApp')) ?? []
    assert.equal(netapp?.discoveryCredentials?.username, 'host-1')
    assert.equal(parsed.filter(([, { enforceMultipath }]) => enforceMultipath === true).length, parsed.length)
    assert.ok(!JSON.stringify(parsed).includes('a-secret-of-16-b'), 'no secret')
  })
})

describe('connection information of Cinder over NVMe is understood:', () => {
  for (const [backend, document, targets] of nvmeofDocuments) understood(backend, document, targets, nvmeofTargets)
})

describe('connection information of Cinder is understood:', () => {
  understood('dsware', dsware, { devicePath: dsware.data['device_path'] }, parseLocalProperties)
  understood('SDSHypervisor', sdsHypervisor, { volume: sdsHypervisor.data['volume_id'] }, parseSdsProperties)
})
