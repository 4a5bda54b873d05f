import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { binding } from '../../lib/binding.ts'
import type { Ending, Job, Program } from '../../lib/binding.ts'
import { openLuks } from '../../lib/index.ts'
import { RecordedHost } from './recorded-host.ts'

const disk = '/sys/devices/pci0000:00/host0/target0:0:0/0:0:0:1/block/sda'
const mapping = '/sys/devices/virtual/block/dm-0'

/** A LUKS volume at /dev/sda, with a cryptsetup that does this; the programs that were run. */
function luksVolume(test: TestContext, open: (host: RecordedHost) => Promise<Ending>): string[] {
  const host = new RecordedHost(test)
  host.device(disk, 'block', { uevent: 'MAJOR=8\nMINOR=0\nDEVNAME=sda\nDEVTYPE=disk\n', size: '2048', ro: '0' })
  test.mock.method(binding(), 'resolvePath', (_lane: string, path: string) => job(Promise.resolve(path)))
  test.mock.method(binding(), 'readDevice', () => job(Promise.resolve(Buffer.from('LUKS\xba\xbe', 'latin1'))))
  test.mock.method(binding(), 'tryLockByte', () => () => undefined)
  const run: string[] = []
  test.mock.method(binding(), 'runProgram', ({ arguments: [program = '', verb = ''] }: Program) => {
    run.push(`${program} ${verb}`)
    return job(verb === 'open' ? open(host) : Promise.resolve(ending(0)))
  })
  return run
}

/** Somebody opens it. */
function mapDisk(host: RecordedHost): void {
  const uevent = 'MAJOR=253\nMINOR=0\nDEVNAME=dm-0\nDEVTYPE=disk\n'
  const map = { 'dm/name': 'crypt-sda\n', 'dm/uuid': 'CRYPT-LUKS2-0-crypt-sda\n' }
  host.device(mapping, 'block', { uevent, size: '1024', ro: '0', ...map })
  host.link(`${mapping}/slaves/sda`, disk)
}

describe('opening a LUKS volume', () => {
  it('that another program has opened meanwhile fails, and does not close it', async (test) => {
    const run = luksVolume(test, (host) => {
      mapDisk(host)
      return Promise.resolve(ending(5, 'Device crypt-sda already exists.'))
    })
    await assert.rejects(openLuks('/dev/sda', { key: 'secret' }), { code: 'DEVICE_IN_USE' })
    assert.deepEqual(run, ['cryptsetup open'])
  })

  it('that nobody waits for any more closes what it may have opened', async (test) => {
    const stop = new AbortController()
    const run = luksVolume(test, (host) => {
      mapDisk(host)
      stop.abort()
      return Promise.reject(new Error('abandoned'))
    })
    await assert.rejects(openLuks('/dev/sda', { key: 'secret', signal: stop.signal }), { code: 'ABORTED' })
    assert.deepEqual(run, ['cryptsetup open', 'cryptsetup close'])
  })
})

function ending(code: number, error = ''): Ending {
  return { code, signal: 0, output: '', error }
}

function job<T>(result: Promise<T>): Job<T> {
  return { result, number: 0 }
}
