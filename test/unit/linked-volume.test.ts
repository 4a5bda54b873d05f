import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { binding } from '../../lib/binding.ts'
import type { FileOperation, Job } from '../../lib/binding.ts'
import { BrickError } from '../../lib/errors.ts'
import { linkFolder, linkTo } from '../../lib/encryption/link-name.ts'
import { handedOut } from '../../lib/encryption/linked-volume.ts'
import type { DeviceInfo } from '../../lib/properties/device-info.ts'
import type { VolumeCalls } from '../../lib/volume/calls.ts'

/** The links of a host, and the device nodes that it has. */
class Links {
  readonly links: Set<string>
  readonly nodes: Set<string>

  constructor(test: TestContext, nodes: readonly string[], links: readonly string[]) {
    this.nodes = new Set(nodes)
    this.links = new Set(links)
    test.mock.method(binding(), 'resolvePath', (_lane: string, path: string) =>
      job(() => {
        if (!this.nodes.has(path)) throw absent(path)
        return path
      }),
    )
    test.mock.method(binding(), 'listDirectory', (_lane: string, path: string) =>
      job(() => (path === linkFolder ? [...this.links].map((link) => link.slice(linkFolder.length + 1)) : [])),
    )
    test.mock.method(binding(), 'changeFiles', (_lane: string, operations: readonly FileOperation[]) =>
      job(() => {
        for (const operation of operations) {
          if (operation.verb === 'unlink') this.links.delete(operation.path)
          if (operation.verb === 'rename') this.links.add(operation.to)
        }
      }),
    )
    test.mock.method(binding(), 'tryLockByte', () => () => undefined)
  }

  /** An encrypted volume that is at these nodes, and whose detach and attach do this. */
  volume(paths: string[], disconnect: () => unknown, connect: VolumeCalls['connect'] = none): VolumeCalls {
    return handedOut(
      { encrypted: true },
      {
        connect,
        extend: none,
        disconnect: async () => {
          await disconnect()
        },
        paths: () => Promise.resolve(paths.filter((path) => this.nodes.has(path))),
      },
    )
  }
}

const none = (): Promise<never> => Promise.reject(new Error('not asked for'))

const linkA = linkTo('/dev/sda')
const linkB = linkTo('/dev/sdb')
const infoOfB = { type: 'block', path: linkB }

describe('the detach of an encrypted volume', () => {
  it('takes its links along, and no others', async (test) => {
    const host = new Links(test, ['/dev/sda', '/dev/sdb'], [linkA, linkB])
    await host
      .volume(['/dev/sdb'], () => {
        host.nodes.delete('/dev/sdb')
      })
      .disconnect(infoOfB, {})
    assert.deepEqual([...host.links], [linkA])
  })

  it('takes the link of a device that stays', async (test) => {
    const host = new Links(test, ['/dev/sdb'], [linkB])
    await host.volume(['/dev/sdb'], () => undefined).disconnect(infoOfB, {})
    assert.deepEqual([...host.links], [])
  })

  it('that is made once more leaves the link of the volume that has its name now', async (test) => {
    const host = new Links(test, ['/dev/sdb'], [linkB])
    await host.volume([], () => undefined).disconnect(infoOfB, {})
    assert.deepEqual([...host.links], [linkB])
  })

  it('that is made once more takes a link that leads to nothing', async (test) => {
    const host = new Links(test, [], [linkB])
    await host.volume([], () => undefined).disconnect(infoOfB, {})
    assert.deepEqual([...host.links], [])
  })

  it('takes the links also when it fails by force and the volume has gone', async (test) => {
    const host = new Links(test, ['/dev/sdb'], [linkB])
    const volume = host.volume(['/dev/sdb'], () => {
      host.nodes.delete('/dev/sdb')
      throw new BrickError('FLUSH_FAILED', 'not written')
    })
    await assert.rejects(volume.disconnect(infoOfB, { force: true }), { code: 'FLUSH_FAILED' })
    assert.deepEqual([...host.links], [])
  })

  it('leaves the links when it fails and the volume is still there', async (test) => {
    const host = new Links(test, ['/dev/sdb'], [linkB])
    const volume = host.volume(['/dev/sdb'], () => {
      throw new BrickError('DEVICE_IN_USE', 'mounted')
    })
    await assert.rejects(volume.disconnect(infoOfB, {}), { code: 'DEVICE_IN_USE' })
    assert.deepEqual([...host.links], [linkB])
  })

  it('leaves the link of a volume that gets its name before it has ended', async (test) => {
    const host = new Links(test, ['/dev/sdb'], [linkB])
    const next = host.volume([], none, () => {
      host.nodes.add('/dev/sdb')
      return Promise.resolve({ path: '/dev/sdb' } as DeviceInfo)
    })
    const attaches: Promise<DeviceInfo>[] = []
    const volume = host.volume(['/dev/sdb'], async () => {
      host.nodes.delete('/dev/sdb')
      attaches.push(next.connect({}))
      // Lets it go on for as long as it can.
      await new Promise(setImmediate)
    })
    await volume.disconnect(infoOfB, {})
    const [info] = await Promise.all(attaches)
    assert.deepEqual([info?.path, ...host.links], [linkB, linkB])
  })
})

function absent(path: string): Error {
  return Object.assign(new Error(path), { errno: -constants.errno.ENOENT, syscall: 'realpath', path })
}

function job<T>(make: () => T): Job<T> {
  const result = new Promise<T>((resolve) => {
    resolve(make())
  })
  return { result, number: 0 }
}
