import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parseInitiatorName } from '../../lib/host/initiator-name.ts'

it('an initiator name is what the file says, if it says one', () => {
  const name = 'iqn.1993-08.org.debian:01:abcdef'
  assert.equal(parseInitiatorName(`## comment\nInitiatorName=${name}\n`), name)
  assert.equal(parseInitiatorName(` InitiatorName = ${name} \n`), name)
  assert.equal(parseInitiatorName('GenerateName=yes\n'), undefined)
  assert.equal(parseInitiatorName('#InitiatorName=iqn.x\n'), undefined)
  assert.equal(parseInitiatorName(''), undefined)
})
