import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { getEventListeners } from 'node:events'
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { constants as osConstants, tmpdir } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { getSystemErrorName } from 'node:util'
import { binding, failedWith, finish, SystemError } from '../../lib/binding.ts'
import type { FileOperation, Job } from '../../lib/binding.ts'
import { WalkPlan } from '../../lib/inventory/walk-plan.ts'
import { ended, eventually, run } from './children/child.ts'

const folder = mkdtempSync(`${tmpdir()}/hostbrick-binding-`)
after(() => {
  rmSync(folder, { recursive: true })
})

const limit = { timeout: 20_000 }
const never = new AbortController().signal
const native = binding()

let files = 0
const fresh = (): string => `${folder}/${++files}`

/** A read of a FIFO that nobody writes to: a call that the kernel does not let go of. */
function stick(lane: string): { job: Job<Buffer>; letGo: () => void } {
  const path = fresh()
  execFileSync('mkfifo', [path])
  return {
    job: native.readFile(lane, path),
    // Again and again: on a busy machine the reader may not have got as far as opening it.
    letGo() {
      const timer = setInterval(() => {
        if (isIdle()) clearInterval(timer)
        else closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK))
      }, 1)
      timer.unref()
    },
  }
}

const change = (lane: string, ...operations: FileOperation[]): Job<void> => native.changeFiles(lane, operations)
const make = (lane: string, path: string): Job<void> => change(lane, { verb: 'makeDirectory', path, mode: 0o700 })

const isIdle = (): boolean => {
  const { queued, running, parked } = native.laneStatistics()
  return queued + running + parked === 0
}

describe('files', () => {
  it('are read whole, whatever is in them and however large they are', async () => {
    for (const size of [0, 1, 4095, 4096, 4097, 100_000]) {
      const path = fresh()
      const content = Buffer.alloc(size, 'a\0\xff', 'latin1')
      writeFileSync(path, content)
      assert.deepEqual(await native.readFile('files', path).result, content)
    }
  })

  it('in procfs, which have no size, too', async () => {
    assert.deepEqual(await native.readFile('files', '/proc/version').result, readFileSync('/proc/version'))
  })

  it('of more than 16 mebibytes are refused', async () => {
    const path = fresh()
    writeFileSync(path, Buffer.alloc(17 << 20))
    await assert.rejects(finish(native.readFile('files', path), never), { code: 'EFBIG', path })
  })

  it('are read many at once, and one that cannot be read is its errno', async () => {
    const path = fresh()
    writeFileSync(path, 'text')
    const read = await native.readFiles('files', [path, `${path}-missing`, '/', path]).result
    assert.deepEqual(read, [
      Buffer.from('text'),
      -osConstants.errno.ENOENT,
      -osConstants.errno.EISDIR,
      Buffer.from('text'),
    ])
    assert.deepEqual(await native.readFiles('files', []).result, [])
  })

  it('are made with their content and mode, once', async () => {
    const path = fresh()
    const create: FileOperation = { verb: 'createFile', path, content: 'ä\0b\n', mode: 0o600 }
    await change('files', create).result
    assert.equal(readFileSync(path, 'utf8'), 'ä\0b\n')
    assert.equal(statSync(path).mode & 0o777, 0o600)
    await assert.rejects(finish(change('files', { ...create, content: '' }), never), { code: 'EEXIST', path })
    assert.equal(readFileSync(path, 'utf8'), 'ä\0b\n')
  })

  it('take a value in one write, as attributes want it', async () => {
    const path = fresh()
    writeFileSync(path, '')
    assert.equal(await (native.writeAttribute('files', path, '0 0 1').result as Promise<unknown>), undefined)
    assert.equal(readFileSync(path, 'utf8'), '0 0 1')
  })

  it('are linked, renamed and unlinked', async () => {
    const [a, b, c] = [fresh(), fresh(), fresh()]
    writeFileSync(a, 'a')
    await change('files', { verb: 'link', from: a, to: b }).result
    assert.equal(statSync(b).nlink, 2)
    await assert.rejects(finish(change('files', { verb: 'link', from: a, to: b }), never), { code: 'EEXIST', path: b })
    await change('files', { verb: 'rename', from: b, to: c }, { verb: 'unlink', path: a }).result
    assert.deepEqual([a, b, c].map(existsSync), [false, false, true])
  })

  it('live in directories', async () => {
    const path = fresh()
    await make('files', path).result
    assert.equal(statSync(path).mode & 0o777, 0o700)
    assert.deepEqual(await native.listDirectory('files', path).result, [])
    writeFileSync(`${path}/ü`, '')
    writeFileSync(`${path}/.hidden`, '')
    assert.deepEqual((await native.listDirectory('files', path).result).sort(), ['.hidden', 'ü'])
    await assert.rejects(finish(change('files', { verb: 'removeDirectory', path }), never), { code: 'ENOTEMPTY', path })
    rmSync(`${path}/ü`)
    rmSync(`${path}/.hidden`)
    await change('files', { verb: 'removeDirectory', path }).result
    assert.ok(!existsSync(path))
  })
})

describe('changes of files', () => {
  it('are made in order, up to the first that fails; what is tolerated does not fail', async () => {
    const [a, b, c] = [fresh(), fresh(), fresh()]
    const directory = (path: string, unless?: number[]): FileOperation => ({
      verb: 'makeDirectory',
      path,
      mode: 0o700,
      ...(unless && { unless }),
    })
    const { EEXIST, ENOENT } = osConstants.errno
    await assert.rejects(
      finish(
        change('files', directory(a), directory(a, [ENOENT, EEXIST]), directory(b), directory(a), directory(c)),
        never,
      ),
      { code: 'EEXIST', syscall: 'mkdir', path: a },
    )
    assert.deepEqual([a, b, c].map(existsSync), [true, true, false])
    await change('files').result
  })
})

describe('failures', () => {
  const missing = `${folder}/missing`
  const other = [{ pattern: '/proc/vers*n', content: 'another' }]
  const create = (path: string): FileOperation => ({ verb: 'createFile', path, content: '', mode: 0o600 })
  const cases: [string, () => Job<unknown>, string, string, string][] = [
    ['readFile', () => native.readFile('x', missing), 'ENOENT', 'read', missing],
    ['readFile of a directory', () => native.readFile('x', folder), 'EISDIR', 'read', folder],
    ['listDirectory', () => native.listDirectory('x', missing), 'ENOENT', 'opendir', missing],
    [
      'listDirectory of a file',
      () => native.listDirectory('x', '/proc/version'),
      'ENOTDIR',
      'opendir',
      '/proc/version',
    ],
    ['writeAttribute', () => native.writeAttribute('x', missing, '1'), 'ENOENT', 'open', missing],
    ['writeAttribute, refused', () => native.writeAttribute('x', '/dev/full', '1'), 'ENOSPC', 'write', '/dev/full'],
    ['writeAttributeIf', () => native.writeAttributeIf('x', '/dev/null', '1', other), 'ESTALE', 'write', '/dev/null'],
    ['writeAttributeIf of none', () => native.writeAttributeIf('x', missing, '1', other), 'ENOENT', 'open', missing],
    ['walkInParts', () => native.walkInParts('x', missing, '', null), 'ENOENT', 'open', missing],
    ['walk', () => native.walk('x', missing, ''), 'ENOENT', 'open', missing],
    ['makeDirectory', () => make('x', folder), 'EEXIST', 'mkdir', folder],
    ['createFile', () => change('x', create(`${missing}/a`)), 'ENOENT', 'open', `${missing}/a`],
    ['rename', () => change('x', { verb: 'rename', from: missing, to: fresh() }), 'ENOENT', 'rename', ''],
    ['link', () => change('x', { verb: 'link', from: missing, to: fresh() }), 'ENOENT', 'link', ''],
    [
      'symbolicLink',
      () => change('x', { verb: 'symbolicLink', target: 'a', path: folder }),
      'EEXIST',
      'symlink',
      folder,
    ],
    ['unlink', () => change('x', { verb: 'unlink', path: missing }), 'ENOENT', 'unlink', missing],
    ['removeDirectory', () => change('x', { verb: 'removeDirectory', path: missing }), 'ENOENT', 'rmdir', missing],
    [
      'exchange',
      () => native.exchange([{ abstract: missing }], Buffer.alloc(1), 1),
      'ECONNREFUSED',
      'connect',
      `@${missing}`,
    ],
    ['deviceFacts', () => native.deviceFacts('x', missing), 'ENOENT', 'open', missing],
    ['flushDevice', () => native.flushDevice('x', missing), 'ENOENT', 'open', missing],
    ['heldExclusively', () => native.heldExclusively('x', missing), 'ENOENT', 'open', missing],
    ['readFirstBlock', () => native.readFirstBlock('x', missing), 'ENOENT', 'open', missing],
    ['readDevice', () => native.readDevice('x', missing, 0, 4096), 'ENOENT', 'open', missing],
    ['resolvePath', () => native.resolvePath('x', missing), 'ENOENT', 'realpath', missing],
    [
      'designatorsIfRunning',
      () => native.designatorsIfRunning('x', '/dev/null', folder, 100),
      'EISDIR',
      'read',
      folder,
    ],
    ['identify', () => native.identify('x', '/dev/null', 100), 'ENOTTY', 'SG_IO', '/dev/null'],
    ['reportLuns', () => native.reportLuns('x', '/dev/null', 100), 'ENOTTY', 'SG_IO', '/dev/null'],
    ['readCapacity', () => native.readCapacity('x', '/dev/null', 100), 'ENOTTY', 'SG_IO', '/dev/null'],
    ['lockByte', () => native.lockByte('x', `${missing}/a`, 0n), 'ENOENT', 'open', `${missing}/a`],
    ['lockByte below 0', () => native.lockByte('x', fresh(), -1n), 'EINVAL', 'F_OFD_SETLKW', ''],
    ['probePort', () => native.probePort('127.0.0.1', 1, '', ''), 'ECONNREFUSED', 'connect', '127.0.0.1'],
    ['probePort of a name', () => native.probePort('localhost', 1, '', ''), 'EINVAL', 'connect', 'localhost'],
    ['resolveHost', () => native.resolveHost('no such host'), 'ENOENT', 'getaddrinfo', 'no such host'],
    [
      'runProgram',
      () => native.runProgram({ arguments: ['no-such-program'], environment: [], input: '' }),
      'ENOENT',
      'posix_spawn',
      'no-such-program',
    ],
  ]
  const numbers: Readonly<Record<string, number>> = osConstants.errno
  for (const [name, start, code, syscall, path] of cases) {
    it(`of ${name} say ${code}, ${syscall} and the path`, async () => {
      const error: unknown = await finish(start(), never).catch((reason: unknown) => reason)
      assert.ok(error instanceof SystemError)
      const expected = { code, syscall, path: path === '' ? error.path : path }
      assert.deepEqual({ code: error.code, syscall: error.syscall, path: error.path }, expected)
      assert.equal(error.errno, -(numbers[code] ?? 0))
      assert.ok(error.message.includes(code) && error.message.includes(error.path), error.message)
      assert.ok(failedWith(error, 'EPERM', code) && !failedWith(error, 'EPERM'))
    })
  }

  it('say the name of an errno that Node has no name for', async () => {
    await assert.rejects(finish(native.deviceFacts('x', '/dev/null'), never), { code: 'ENOTBLK', path: '/dev/null' })
  })

  it('of the resolver say what it said', async () => {
    const error: unknown = await finish(native.resolveHost('no such host'), never).catch((reason: unknown) => reason)
    assert.ok(error instanceof SystemError && error.detail)
  })
})

describe('host names', () => {
  it('are resolved, and addresses are themselves', async () => {
    assert.deepEqual(await native.resolveHost('127.0.0.1').result, ['127.0.0.1'])
    assert.deepEqual(await native.resolveHost('::1').result, ['::1'])
    const addresses = await native.resolveHost('localhost').result
    assert.ok(addresses.some((address) => address === '127.0.0.1' || address === '::1'))
  })
})

describe('block devices', () => {
  let device = ''
  let refused = false
  before(() => {
    const image = fresh()
    writeFileSync(image, '')
    truncateSync(image, 8 << 20)
    try {
      device = execFileSync('losetup', ['--find', '--show', image], { stdio: 'pipe', encoding: 'utf8' }).trim()
    } catch {
      refused = true
    }
  })
  after(() => {
    if (device !== '') execFileSync('losetup', ['--detach', device])
  })
  const withDevice = (name: string, test: () => Promise<void>): void => {
    it(name, limit, async (t) => {
      if (refused) t.skip('no loop device to be had here')
      else await test()
    })
  }

  withDevice('say what they are', async () => {
    const facts = await native.deviceFacts('block', device).result
    const { size, readOnly, logicalBlock, major, minor } = facts
    assert.deepEqual({ size, readOnly, logicalBlock }, { size: 8 << 20, readOnly: false, logicalBlock: 512 })
    assert.equal(
      `${major}:${minor}`,
      readFileSync(`/sys/class/block/${device.slice('/dev/'.length)}/dev`, 'utf8').trim(),
    )
    assert.ok(facts.diskSequence >= 0)
  })

  withDevice('are flushed, and read past the cache', async () => {
    assert.equal(await (native.flushDevice('block', device).result as Promise<unknown>), undefined)
    assert.equal(await (native.readFirstBlock('block', device).result as Promise<unknown>), undefined)
  })

  withDevice('are held while somebody has them open exclusively', async () => {
    assert.equal(await native.heldExclusively('block', device).result, false)
    const holder = openSync(device, constants.O_RDONLY | constants.O_EXCL)
    assert.equal(await native.heldExclusively('block', device).result, true)
    closeSync(holder)
    assert.equal(await native.heldExclusively('block', device).result, false)
  })
})

describe('walk', () => {
  const mem = new WalkPlan([{ path: 'class/mem', attributes: [{ name: 'uevent' }], directories: [] }]).text

  it('reads links and skips everything else', async () => {
    const root = fresh()
    mkdirSync(`${root}/class/mem`, { recursive: true })
    mkdirSync(`${root}/devices/a`, { recursive: true })
    writeFileSync(`${root}/devices/a/uevent`, '')
    mkdirSync(`${root}/class/mem/folder`)
    writeFileSync(`${root}/class/mem/file`, '')
    symlinkSync('../../devices/a', `${root}/class/mem/a`)
    const bytes = await native.walk('walk', root, mem).result
    assert.deepEqual(bytes, Buffer.from('\x17\0\0\0\0\0\0\0\x13\0\0\0\x01\0\0\0a\x02\0\0\0/a\0\0\0\0', 'latin1'))
    assert.deepEqual(await native.walkInParts('walk', root, mem, null).result, { bytes, more: null })
  })

  it('goes on where a part has ended', async () => {
    const root = fresh()
    mkdirSync(`${root}/class/mem`, { recursive: true })
    for (let number = 0; number < 300; number++) {
      mkdirSync(`${root}/devices/${number}`, { recursive: true })
      writeFileSync(`${root}/devices/${number}/uevent`, '')
      symlinkSync(`../../devices/${number}`, `${root}/class/mem/${number}`)
    }
    const first = await native.walkInParts('walk', root, mem, null).result
    const last = await first.more?.().result
    assert.equal(last?.more, null)
    const whole = await native.walk('walk', root, mem).result
    assert.deepEqual(Buffer.concat([first.bytes, last.bytes]), whole)
  })
})

describe('programs', () => {
  const shell = (script: string, input = ''): Job<{ code: number; signal: number; output: string; error: string }> =>
    native.runProgram({ arguments: ['sh', '-c', script], environment: ['PATH=/usr/bin:/bin', 'A=1'], input })

  const endings: [string, string, string, object][] = [
    [
      'a status and what was said',
      'echo a; echo b >&2; exit 3',
      '',
      { code: 3, signal: 0, output: 'a\n', error: 'b\n' },
    ],
    ['input', 'cat', 'ä\n', { code: 0, signal: 0, output: 'ä\n', error: '' }],
    ['input that nobody reads', 'exec <&-', 'x'.repeat(1 << 20), { code: 0, signal: 0, output: '', error: '' }],
    ['a signal', 'kill -TERM $$', '', { code: -1, signal: 15, output: '', error: '' }],
    ['signals as they are by default', 'kill -PIPE $$', '', { code: -1, signal: 13, output: '', error: '' }],
    ['their environment and no other', 'echo $A$HOME', '', { code: 0, signal: 0, output: '1\n', error: '' }],
    ['a daemon left behind', 'sleep 60 & echo $! >&2', '', { code: 0, signal: 0, output: '' }],
  ]
  for (const [name, script, input, ending] of endings) {
    it(`end: ${name}`, limit, async () => {
      const result = await shell(script, input).result
      const daemon = /^(\d+)\n$/.exec(result.error)
      if (daemon) process.kill(Number(daemon[1]))
      assert.deepEqual(result, { error: result.error, ...ending })
    })
  }

  it('inherit no descriptor of ours', limit, async () => {
    const path = fresh()
    const release = await native.lockByte('a', path, 0n).result
    const monitor = native.openMonitor('kernel', () => undefined)
    const { output } = await shell('ls -l /proc/self/fd').result
    monitor.close()
    release()
    assert.match(output, /0 -> pipe/)
    for (const ours of [path, 'socket:', 'eventfd', 'pidfd']) assert.ok(!output.includes(ours), output)
  })

  it('get input larger than a pipe while they answer', limit, async () => {
    const input = 'x'.repeat(900_000)
    const { output } = await shell('cat', input).result
    assert.ok(output === input)
  })

  it('may say more than we keep', limit, async () => {
    const { code, output } = await shell('head -c 5000000 /dev/zero').result
    assert.equal(code, 0)
    assert.equal(output.length, 1 << 20)
  })

  for (const [name, script] of [
    ['with their children', 'sleep 60 & echo $! > $FILE; wait'],
    ['though they never stop to talk', 'echo $$ > $FILE; exec yes'],
    ['though they ignore signals', 'trap "" TERM INT; echo $$ > $FILE; while :; do sleep 60; done'],
  ] as const) {
    it(`are killed when given up, ${name}`, limit, async () => {
      const file = fresh()
      const job = native.runProgram({
        arguments: ['sh', '-c', script],
        environment: ['PATH=/usr/bin:/bin', `FILE=${file}`],
        input: '',
      })
      await eventually(() => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'))
      native.abandon(job.number)
      await assert.rejects(job.result, { syscall: 'abandon' })
      await eventually(isIdle)
      const state = (): string => {
        const status = `/proc/${readFileSync(file, 'utf8').trim()}/stat`
        return existsSync(status) ? (readFileSync(status, 'utf8').split(' ')[2] ?? '') : 'gone'
      }
      // Its new parent may take its time to notice.
      await eventually(() => ['gone', 'Z'].includes(state()))
    })
  }

  it('leave no descriptor behind', limit, async () => {
    const count = async (): Promise<number> => (await native.listDirectory('files', '/proc/self/fd').result).length
    await shell('true').result
    const first = await count()
    const jobs = Array.from({ length: 20 }, () => shell('true'))
    await Promise.all(jobs.map(({ result }) => result))
    await eventually(isIdle)
    // No more than before: what an earlier test has left open may have been closed meanwhile.
    assert.equal(Math.max(await count(), first), first)
  })
})

describe('locks', () => {
  it('exclude each other per byte, also within a process, and are given back once', limit, async () => {
    const path = fresh()
    const release = await native.lockByte('a', path, 5n).result
    const releaseOther = await native.lockByte('b', path, 6n).result
    const waiting = native.lockByte('c', path, 5n)
    await eventually(() => native.laneStatistics().running === 1)
    release()
    release()
    const releaseNext = await waiting.result
    releaseNext()
    releaseOther()
  })

  it('take the largest offset there is', async () => {
    const release = await native.lockByte('a', fresh(), 2n ** 62n - 1n).result
    release()
  })

  it('won after they were given up are released', limit, async () => {
    const path = fresh()
    const release = await native.lockByte('a', path, 0n).result
    const late = native.lockByte('b', path, 0n)
    await eventually(() => native.laneStatistics().running === 1)
    native.abandon(late.number)
    await assert.rejects(late.result, { syscall: 'abandon' })
    release()
    const releaseNext = await native.lockByte('c', path, 0n).result
    releaseNext()
    await eventually(isIdle)
  })
})

describe('a job', () => {
  it('that is given up rejects at once with ECANCELED, and is parked until the kernel lets go', limit, async () => {
    const { job, letGo } = stick('stuck')
    await eventually(() => native.laneStatistics().running === 1)
    native.abandon(job.number)
    native.abandon(job.number)
    await assert.rejects(job.result, (error: Error & { errno?: number; syscall?: string }) => {
      return getSystemErrorName(error.errno ?? 0) === 'ECANCELED' && error.syscall === 'abandon'
    })
    const { queued, running, parked } = native.laneStatistics()
    assert.deepEqual({ queued, running, parked }, { queued: 0, running: 0, parked: 1 })
    letGo()
    await eventually(isIdle)
  })

  it('behind a stuck one in its lane never runs once it is given up; others do, in order', limit, async () => {
    const { job, letGo } = stick('lane')
    const [first, given, last] = [fresh(), fresh(), fresh()]
    const before = make('lane', first)
    const dropped = make('lane', given)
    const behind = make('lane', last)
    await eventually(() => native.laneStatistics().running === 1)
    assert.equal(native.laneStatistics().queued, 3)
    native.abandon(dropped.number)
    await assert.rejects(dropped.result, { syscall: 'abandon' })
    native.abandon(job.number)
    await assert.rejects(job.result, { syscall: 'abandon' })
    assert.deepEqual([native.laneStatistics().queued, native.laneStatistics().parked], [2, 1])
    // Other lanes do not care.
    await make('other lane', fresh()).result
    assert.ok(!existsSync(first))
    letGo()
    await Promise.all([before.result, behind.result])
    assert.deepEqual([first, given, last].map(existsSync), [true, false, true])
    assert.ok(isIdle())
  })

  it('of one lane runs after the one before', async () => {
    const path = fresh()
    const jobs: Job<void>[] = []
    for (let round = 0; round < 200; round++) {
      jobs.push(make('order', path), change('order', { verb: 'removeDirectory', path }))
    }
    await Promise.all(jobs.map(({ result }) => result))
  })

  it('gives up nothing when it has ended', async () => {
    const job = native.listDirectory('files', folder)
    await job.result
    native.abandon(job.number)
    assert.ok(Array.isArray(await job.result))
    assert.ok(isIdle())
  })

  it('runs beside a hundred stuck ones, and idle threads go', limit, async () => {
    const path = fresh()
    const release = await native.lockByte('holder', path, 0n).result
    const waiting = Array.from({ length: 100 }, (_, index) => native.lockByte(`waiter ${index}`, path, 0n))
    await eventually(() => native.laneStatistics().running === 100)
    assert.ok(Array.isArray(await native.listDirectory('files', folder).result))
    for (const job of waiting) native.abandon(job.number)
    await Promise.allSettled(waiting.map(({ result }) => result))
    assert.equal(native.laneStatistics().parked, 100)
    release()
    await eventually(isIdle)
    await eventually(() => native.laneStatistics().threads <= 8)
  })
})

describe('finish', () => {
  it('throws the reason of the signal, before and while the job runs', limit, async () => {
    const reason = new Error('enough')
    const { job, letGo } = stick('finish')
    // Given up before it runs, it would not hold the lane.
    await eventually(() => native.laneStatistics().running === 1)
    const controller = new AbortController()
    const finished = finish(job, controller.signal)
    controller.abort(reason)
    await assert.rejects(finished, (error) => error === reason)
    const queued = fresh()
    await assert.rejects(finish(make('finish', queued), AbortSignal.abort(reason)), (error) => error === reason)
    letGo()
    await eventually(isIdle)
    assert.ok(!existsSync(queued))
  })

  it('leaves no listener on a signal that lives on', async () => {
    const { signal } = new AbortController()
    await finish(native.listDirectory('files', folder), signal)
    await assert.rejects(finish(native.listDirectory('files', `${folder}/missing`), signal), { code: 'ENOENT' })
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  it('passes on what is no failure of a system call', async () => {
    const defect = new TypeError('defect')
    await assert.rejects(finish({ result: Promise.reject(defect), number: 0 }, never), (error) => error === defect)
  })
})

describe('threads', () => {
  it("are not libuv's: its whole pool is free while a job is stuck", limit, async () => {
    assert.deepEqual(await run('pool.mjs', [], { env: { UV_THREADPOOL_SIZE: '1' } }), ended)
  })
})
