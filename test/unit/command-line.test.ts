import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { commands } from '../../lib/bin/commands.ts'
import { readCommandLine, UsageError } from '../../lib/bin/command-line.ts'
import { completionFor } from '../../lib/bin/completion.ts'
import { exitStatuses, exitStatusOf } from '../../lib/bin/exit-status.ts'
import { manual } from '../../lib/bin/manual.ts'
import { errorCodes } from '../../lib/index.ts'
import type { ErrorCode } from '../../lib/index.ts'
import { run, start } from './children/child.ts'
import type { ChildEnd } from './children/child.ts'

const limit = { timeout: 300_000 }
const executable = '../../../lib/bin/hostbrick.ts'
const hostbrick = (args: readonly string[], input = ''): Promise<ChildEnd> => run(executable, args, { input })
const asker = ['--initiator-name', 'iqn.2026-11.test:host']

/** A portal that takes connections and says nothing. */
async function silentPortal(use: (portal: string, connected: Promise<unknown>) => Promise<void>): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => undefined))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await use(`127.0.0.1:${(server.address() as AddressInfo).port}`, once(server, 'connection'))
  } finally {
    server.close()
  }
}

function failure({ stdout }: ChildEnd): { code: string; message: string; details: Record<string, unknown> } {
  return (JSON.parse(stdout) as { error: ReturnType<typeof failure> }).error
}

describe('the help', limit, () => {
  it('names every command and every exit status', async () => {
    const { code, stdout: printed, stderr } = await hostbrick(['--help'])
    assert.deepEqual([code, stderr], [0, ''])
    for (const line of printed.split('\n')) assert.ok(line.length < 80, line)
    const stdout = printed.replace(/\n {4,}/g, ' ')
    for (const { name, summary } of commands) assert.match(stdout, new RegExp(`^ {2}${name} +${summary}$`, 'm'))
    for (const { status } of exitStatuses) assert.match(stdout, new RegExp(`^ {2}${status} `, 'm'))
  })

  it('of a command has its options, its operands and its examples', async () => {
    const { code, stdout } = await hostbrick(['discover', 'iscsi', '--help'])
    assert.equal(code, 0)
    for (const part of ['PORTAL', '--chap', '--json', '--timeout SECONDS', 'examples:', 'Standard input']) {
      assert.ok(stdout.includes(part), part)
    }
  })

  it('has examples that are right', () => {
    for (const { name, examples } of commands) {
      assert.notEqual(examples.length, 0, name)
      for (const { command } of examples) {
        const [, words = ''] = /hostbrick ([^<>|)]*)/.exec(command) ?? []
        assert.equal(readCommandLine(words.trim().split(' ')).command.name, name, command)
      }
    }
  })

  it('is the manual, too: npm run build:manual', () => {
    assert.equal(readFileSync('man/hostbrick.1', 'utf8'), manual())
  })

  it('tells the version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    assert.equal((await hostbrick(['--version'])).stdout, `${version}\n`)
  })
})

describe('a command line that is wrong', limit, () => {
  const wrong: [string[], string][] = [
    [[], 'a command is missing'],
    [['atach'], '"atach"'],
    [['--json'], '"--json"'],
    [['discover'], 'iscsi, nvme'],
    [['discover', 'fc'], 'iscsi, nvme'],
    [['discover', 'iscsi'], 'PORTAL is missing'],
    [['discover', 'nvme', 'a', 'b'], '"b" is one word too many'],
    [['ls', '--colour'], "'--colour'"],
    [['ls', '--json=yes'], '--json'],
    [['ls', 'sda'], '"sda" is one word too many'],
    [['attach', '--timeout', '-1'], '--timeout'],
    [['attach', '--timeout', 'soon'], '--timeout'],
    [['attach', '--protocol', 'nfs3'], '--protocol: expected one of'],
    [['doctor', 'iscsi', 'tape'], 'WHAT: expected one of'],
    [['completion', 'tcsh'], 'SHELL: expected one of'],
  ]
  for (const [args, said] of wrong) {
    it(`is one that says what is wrong: ${JSON.stringify(args)}`, () => {
      assert.throws(
        () => readCommandLine(args),
        (error) => error instanceof UsageError && error.message.includes(said),
      )
    })
  }

  it('ends with status 2, and says where to look', async () => {
    for (const [args, said] of [
      [[], 'hostbrick: a command is missing\nSee hostbrick --help\n'],
      [['ls', 'sda'], 'hostbrick ls: "sda" is one word too many\nSee hostbrick ls --help\n'],
    ] as const) {
      const { code, stdout, stderr } = await hostbrick(args)
      assert.deepEqual([code, stdout, stderr], [2, '', said])
    }
  })
})

describe('standard input', limit, () => {
  const secret = 'hunter2hunter2'
  const refused: [string, string, string][] = [
    ['nothing', '', 'standard input'],
    ['no JSON', `{"auth_password": "${secret}", auth`, 'standard input'],
    ['a text', `"${secret}"`, 'standard input'],
    ['no protocol', JSON.stringify({ data: { auth_password: secret } }), 'driver_volume_type'],
    [
      'a password that is none',
      JSON.stringify({ driver_volume_type: 'iscsi', data: { ...chap(), auth_password: [secret] } }),
      'auth_password',
    ],
  ]
  for (const [what, input, field] of refused) {
    it(`with ${what} is INVALID_ARGUMENT, and nothing of it is shown`, async () => {
      const end = await hostbrick(['attach', '--json'], input)
      const { code, details } = failure(end)
      assert.deepEqual([end.code, code, details['field']], [2, 'INVALID_ARGUMENT', field])
      assert.ok(!`${end.stdout}${end.stderr}`.includes('hunter2'), end.stdout)
      assert.match(end.stderr, /^hostbrick attach: .* \(INVALID_ARGUMENT\)\n$/)
    })
  }

  it('is properties with their protocol, nested or flat, or with --protocol', async () => {
    const data = { device_path: '/dev/nowhere' }
    for (const [given, ...options] of [
      [{ driver_volume_type: 'local', data }],
      [{ driver_volume_type: 'LOCAL', ...data }],
      [data, '--protocol', 'local'],
    ] as const) {
      const { code, stdout, stderr } = await hostbrick(['detach', ...(options as string[])], JSON.stringify(given))
      assert.deepEqual([code, stdout, stderr], [0, '', ''])
    }
  })

  it('of a protocol that hostbrick has not is NOT_SUPPORTED', async () => {
    const end = await hostbrick(['paths', '--json'], '{"driver_volume_type": "rbd", "data": {}}')
    assert.deepEqual([end.code, failure(end).code], [4, 'NOT_SUPPORTED'])
  })

  it('may lack the device info; one that cannot be read is INVALID_ARGUMENT', async () => {
    const given = '{"driver_volume_type": "local", "data": {"device_path": "/dev/nowhere"}}'
    for (const file of ['/nonexistent', '/etc/hostname']) {
      const end = await hostbrick(['detach', '--json', '--device', file], given)
      assert.deepEqual([end.code, failure(end).code], [2, 'INVALID_ARGUMENT'])
    }
  })
})

describe('an exit status', () => {
  it('is there for every error code, once', () => {
    const codes = exitStatuses.flatMap((each) => each.codes)
    assert.deepEqual([...codes].sort(), Object.keys(errorCodes).sort())
  })

  it('is what scripts rely on', () => {
    const statuses = Object.keys(errorCodes).map((code) => [code, exitStatusOf(code as ErrorCode)])
    assert.deepEqual(Object.fromEntries(statuses), {
      ...{ SYSTEM: 1, TOOL_FAILED: 1, INVALID_ARGUMENT: 2, NOT_SUPPORTED: 4, PERMISSION_DENIED: 4 },
      ...{ PORTAL_UNREACHABLE: 5, TARGET_NOT_FOUND: 5, LOGIN_FAILED: 5, LUN_NOT_MAPPED: 5, DEVICE_NOT_FOUND: 5 },
      ...{ MULTIPATH_FAILED: 5, NOT_EXTENDED: 5, AUTH_FAILED: 6, IDENTITY_MISMATCH: 7, DEVICE_IN_USE: 8 },
      ...{ FLUSH_FAILED: 8, BUSY: 8, TIMEOUT: 124, ABORTED: 130 },
    })
  })
})

describe('a call that takes long', limit, () => {
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`is ended by ${signal}, as ABORTED`, () =>
      silentPortal(async (portal, connected) => {
        const child = start(executable, ['discover', 'iscsi', portal, '--json', ...asker])
        let stdout = ''
        child.stdout?.on('data', (chunk) => (stdout += String(chunk)))
        await connected
        child.kill(signal)
        const [code] = (await once(child, 'close')) as [number | null]
        assert.equal(code, status)
        assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'ABORTED')
      }))
  }

  it('is ended while it reads standard input, too', async () => {
    const child = start(executable, ['attach'])
    // Its handlers are there before it reads: what does not fit into the pipe waits for that.
    child.stdin?.on('error', () => undefined)
    child.stdin?.write(' '.repeat(1 << 20))
    await once(child.stdin ?? assert.fail('no standard input'), 'drain')
    child.kill('SIGINT')
    const [code] = (await once(child, 'close')) as [number | null]
    assert.equal(code, 130)
  })

  it('is TIMEOUT after --timeout', () =>
    silentPortal(async (portal) => {
      const end = await hostbrick(['discover', 'iscsi', portal, '--timeout', '0.2', ...asker])
      assert.equal(end.code, 124)
      // No terminal, no progress.
      assert.match(end.stderr, /^hostbrick discover iscsi: .* \(TIMEOUT, step login; may work later\)\n$/)
    }))
})

describe('a terminal', limit, () => {
  /** What is written to it, standard error included. */
  const onTerminal = (portal: string, environment: Readonly<Record<string, string>>): Promise<ChildEnd> => {
    const file = fileURLToPath(new URL(`./children/${executable}`, import.meta.url))
    const command = [process.execPath, '--import', 'tsx', file, 'discover', 'iscsi', portal, '--timeout', '2', ...asker]
    return run('terminal.mjs', command, { env: environment })
  }

  it('gets a line for a step that takes over half a second, in no colour where that is asked for', () =>
    silentPortal(async (portal) => {
      const { stdout } = await onTerminal(portal, { NO_COLOR: '1', TERM: 'xterm' })
      const [first, second] = stdout.split('\n').map((line) => line.trimEnd())
      assert.match(first ?? '', /^iscsi.discoverTargets: login …\riscsi.discoverTargets: login \d\.\d s, failed$/)
      assert.match(second ?? '', /^hostbrick discover iscsi: .* \(TIMEOUT, /)
    }))

  it('gets it in colour otherwise', () =>
    silentPortal(async (portal) => {
      const { stdout } = await onTerminal(portal, { TERM: 'xterm-256color', FORCE_COLOR: '1' })
      assert.ok(stdout.includes('\x1b[2miscsi.discoverTargets: login …\x1b[22m'), stdout)
    }))
})

describe('who reads', limit, () => {
  it('may have had enough', () => {
    const file = fileURLToPath(new URL(`./children/${executable}`, import.meta.url))
    const shell = `"$@" | true; echo "\${PIPESTATUS[0]}"`
    const output = execFileSync('bash', ['-c', shell, 'sh', process.execPath, '--import', 'tsx', file, 'ls', '--json'])
    assert.equal(output.toString(), '0\n')
  })

  it('and gets nothing, for want of space, is told', () => {
    const file = fileURLToPath(new URL(`./children/${executable}`, import.meta.url))
    const shell = ['bash', '-c', 'exec "$@" > /dev/full', 'sh', process.execPath, '--import', 'tsx', file, 'ls']
    const { status, stderr } = spawnSync(shell[0] ?? '', shell.slice(1), { encoding: 'utf8' })
    assert.equal(status, 1)
    assert.match(stderr, /^hostbrick: standard output: ENOSPC/)
  })
})

describe('a watch', { ...limit, skip: getuid?.() !== 0 && 'only root may' }, () => {
  it('is over after --timeout, which is no failure', async () => {
    const { code, stderr } = await hostbrick(['watch', '--timeout', '0.1'])
    assert.deepEqual([code, stderr], [0, ''])
  })
})

describe('doctor', limit, () => {
  it('tells of each thing that is missing what to do, and fails when that was asked for', async () => {
    const end = await hostbrick(['doctor', 'huaweiStorHyper'])
    assert.equal(end.code, 3)
    assert.match(end.stdout, /^huaweiStorHyper {2}no {5}program \/usr/m)
    assert.match(end.stdout, /^program .*: it is not installed\n {2}install it$/m)
  })

  it('has it as JSON', async () => {
    const { code, stdout } = await hostbrick(['doctor', '--json', 'local'])
    assert.deepEqual([code, JSON.parse(stdout)], [0, { local: { works: true, missing: [] } }])
  })
})

describe('properties', limit, () => {
  it("are the host's, as os-brick names them", async () => {
    const { code, stdout } = await hostbrick(['properties', '192.0.2.7', '--host', 'here', '--multipath', '--json'])
    const { ip, host, multipath } = JSON.parse(stdout) as Record<string, unknown>
    assert.deepEqual([code, ip, host, multipath], [0, '192.0.2.7', 'here', true])
    assert.match((await hostbrick(['properties', '192.0.2.7'])).stdout, /^ip +192\.0\.2\.7$/m)
  })
})

describe('completion', limit, () => {
  const completed = (...words: string[]): string[] => {
    const script = `${completionFor('bash', commands)}
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _hostbrick; printf '%s\\n' "\${COMPREPLY[@]}"`
    const given = ['-c', script, 'bash', 'hostbrick', ...words]
    return execFileSync('bash', given, { encoding: 'utf8' }).split('\n').filter(Boolean)
  }

  it('knows commands, options and values', () => {
    assert.deepEqual(completed('a'), ['attach', 'audit'])
    assert.deepEqual(completed('discover', ''), ['iscsi', 'nvme'])
    assert.deepEqual(completed('attach', '--m'), ['--multipath'])
    assert.deepEqual(completed('attach', '--multipath', '--protocol', 'nvm'), ['nvme', 'nvmeof'])
    assert.deepEqual(completed('detach', '--device', '/etc/hostn'), ['/etc/hostname'])
    assert.deepEqual(completed('doctor', 'iscsi', 'multipath'), ['multipath', 'multipathd'])
    assert.deepEqual(completed('attach', '--timeout', ''), [])
  })

  it('is printed for each shell', async () => {
    for (const [shell, begins] of [
      ['bash', '_hostbrick() {'],
      ['zsh', 'autoload -U +X bashcompinit'],
      ['fish', 'complete -c hostbrick -f'],
    ] as const) {
      const { code, stdout } = await hostbrick(['completion', shell])
      assert.equal(code, 0)
      assert.ok(stdout.startsWith(begins), stdout)
    }
  })
})

function chap(): object {
  return {
    ...{ target_portal: '127.0.0.1:1', target_iqn: 'iqn.2010-10.org.openstack:volume-test', target_lun: 1 },
    ...{ auth_method: 'CHAP', auth_username: 'user' },
  }
}
