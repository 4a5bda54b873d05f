import assert from 'node:assert/strict'
import { it } from 'node:test'
import { binding } from '../../lib/binding.ts'
import type { Ending, Job, Program } from '../../lib/binding.ts'
import { BrickError } from '../../lib/errors.ts'
import { Mirror } from '../../lib/raid/mirror.ts'
import type { DeviceInfo } from '../../lib/properties/device-info.ts'
import type { VolumeCalls } from '../../lib/volume/calls.ts'
import { failure } from './recorded-nvme.ts'
import { RecordedHost } from './recorded-host.ts'

const leg = '/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1'
const array = '/sys/devices/virtual/block/md127'

it('an abort between the legs of a mirror stops what udev has made of the first one', async (test) => {
  const host = new RecordedHost(test)
  host.write('/sys/class/block/.keep')
  test.mock.method(binding(), 'tryLockByte', () => () => undefined)
  test.mock.method(binding(), 'resolvePath', (_lane: string, path: string) =>
    job(Promise.reject(failure('ENOENT', path))),
  )
  const done: string[] = []
  test.mock.method(binding(), 'runProgram', ({ arguments: parameters }: Program) => {
    done.push(parameters.join(' '))
    host.remove('/sys/class/block/md127')
    return job<Ending>(Promise.resolve({ code: 0, signal: 0, output: '', error: '' }))
  })
  const stop = new AbortController()
  const unasked = (): Promise<never> => Promise.reject(new Error('not asked for'))
  const first: VolumeCalls = {
    connect: () => {
      host.device(leg, 'block', {
        uevent: 'MAJOR=259\nMINOR=0\nDEVNAME=nvme0n1\nDEVTYPE=disk\n',
        size: '2048',
        ro: '0',
      })
      const uevent = 'MAJOR=9\nMINOR=127\nDEVNAME=md127\nDEVTYPE=disk\n'
      host.device(array, 'block', { uevent, size: '0', ro: '0', 'md/array_state': 'inactive\n' })
      host.link(`${array}/slaves/nvme0n1`, leg)
      return Promise.resolve({ path: '/dev/nvme0n1' } as DeviceInfo)
    },
    disconnect: () => Promise.resolve(void done.push('detach')),
    extend: unasked,
    paths: () => Promise.resolve([]),
  }
  const second: VolumeCalls = {
    connect: () => {
      stop.abort()
      return Promise.reject(new BrickError('ABORTED', 'aborted by the caller'))
    },
    disconnect: unasked,
    extend: unasked,
    paths: () => Promise.resolve([]),
  }
  const mirror = new Mirror({ alias: 'volume', replicas: 2 }, [first, second])
  await assert.rejects(mirror.connect({ signal: stop.signal }), { code: 'ABORTED' })
  assert.deepEqual(done, ['mdadm --stop /dev/md127', 'detach'])
})

function job<T>(result: Promise<T>): Job<T> {
  return { result, number: 0 }
}
