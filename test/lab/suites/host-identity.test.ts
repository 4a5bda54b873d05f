/** The host's NVMe name and id, made when there are none. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { after, beforeEach, describe, it } from 'node:test'
import { BrickError, ensureHostIdentity } from 'hostbrick'
import { run } from '../command.ts'

const folder = '/etc/nvme'
const [nqnFile, idFile] = [`${folder}/hostnqn`, `${folder}/hostid`]
const before = [nqnFile, idFile].map((path) => (existsSync(path) ? readFileSync(path) : undefined))
const uuid = '0f6c1c3e-2c0f-4f6e-9a52-6f2d3a1b4c5d'
const nqnOf = (id: string): string => `nqn.2014-08.org.nvmexpress:uuid:${id}`
const others = readdirSync(folder).filter((name) => !['hostnqn', 'hostid'].includes(name))
const line = (path: string): string => readFileSync(path, 'utf8').trim()

beforeEach(() => {
  rmSync(nqnFile, { force: true })
  rmSync(idFile, { force: true })
})
after(() => {
  for (const [index, path] of [nqnFile, idFile].entries()) {
    const content = before[index]
    if (content) writeFileSync(path, content)
    else rmSync(path, { force: true })
  }
})

describe('the host identity', () => {
  it('is made, as nvme-cli reads it, and stays', async () => {
    const made = await ensureHostIdentity()
    assert.equal(made.nqn, nqnOf(made.id))
    assert.deepEqual([line(nqnFile), line(idFile)], [made.nqn, made.id])
    assert.deepEqual(
      [nqnFile, idFile].map((path) => statSync(path).mode & 0o777),
      [0o644, 0o644],
    )
    assert.ok(run('nvme', 'show-hostnqn').includes(made.nqn), 'nvme-cli has the same name')
    assert.deepEqual(await ensureHostIdentity(), made)
    assert.deepEqual(readdirSync(folder).sort(), [...others, 'hostid', 'hostnqn'].sort(), 'nothing else is left')
  })

  it('is one for all who make it at once', async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => ensureHostIdentity()))
    assert.equal(new Set(made.map(({ nqn }) => nqn)).size, 1)
    assert.equal(line(idFile), made[0]?.id)
  })

  it('is completed: the name from the id, and the id from the name', async () => {
    writeFileSync(nqnFile, nqnOf(uuid))
    assert.deepEqual(await ensureHostIdentity(), { nqn: nqnOf(uuid), id: uuid })
    assert.equal(line(idFile), uuid)
    rmSync(nqnFile)
    writeFileSync(nqnFile, '')
    assert.deepEqual(await ensureHostIdentity(), { nqn: nqnOf(uuid), id: uuid })
    assert.equal(line(nqnFile), nqnOf(uuid))
  })

  it('is never replaced, not even by a better one', async () => {
    mkdirSync(folder, { recursive: true })
    writeFileSync(nqnFile, 'nqn.2026-11.lab:some-host\n')
    const { nqn, id } = await ensureHostIdentity()
    assert.deepEqual([nqn, line(idFile)], ['nqn.2026-11.lab:some-host', id])
    writeFileSync(idFile, 'no id')
    await assert.rejects(
      ensureHostIdentity(),
      (error) => error instanceof BrickError && error.code === 'INVALID_ARGUMENT' && error.message.includes(idFile),
    )
    assert.equal(line(idFile), 'no id')
  })
})
