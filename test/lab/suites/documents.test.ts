/** What the README and the guides tell a newcomer to do, run as it is written. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { InitiatorConnector, inventory } from 'hostbrick'
import type { CallOptions, InitiatorConnector as Connector } from 'hostbrick'
import ts from 'typescript'
import { loadModules, run } from '../command.ts'
import { startIscsid, startMultipathd, type Daemon } from '../daemons.ts'
import { codeBlocks, documents, placeOf, type CodeBlock } from '../documents.ts'
import { executable, root } from '../executable.ts'
import { removeNvmeHost, writeNvmeHost } from '../nvme-host.ts'
import { NvmePort, NvmeSubsystem } from '../nvme-targets.ts'
import { assertNothingLeft, settled, snapshot, type Snapshot } from '../residue.ts'
import { iscsiTarget, type IscsiTarget } from '../targets.ts'

interface ConnectionInfo {
  driver_volume_type: string
  data: Record<string, unknown>
}

const blocks = documents(root).flatMap((document) => codeBlocks(root, document))
const limit = { timeout: 600_000 }
const gibibyte = 1024
const records = '/var/lib/my-csi-driver'
/** Where examples are run: `hostbrick` is found there, as the package and as the command. */
let folder: string
let iscsid: Daemon
let target: IscsiTarget
let subsystem: NvmeSubsystem
let ports: NvmePort[] = []
let clean: Snapshot

/** The volumes that the documents tell of are made as they are told of. */
const iscsi = propertiesIn('README.md')
const nvme = propertiesIn('docs/nvme.md')
const lun = Number(iscsi.data['target_lun'])
const addresses = ['192.0.2.10', '192.0.2.11', '192.0.2.7']

before(async () => {
  for (const address of addresses) run('ip', 'address', 'add', `${address}/32`, 'dev', 'lo')
  writeNvmeHost()
  loadModules('nvme_fabrics', 'nvme_tcp')
  iscsid = await startIscsid()
  target = iscsiTarget({
    iqn: String(iscsi.data['target_iqn']),
    portals: [String(iscsi.data['target_portal'])],
    luns: { [lun]: { megabytes: 20 * gibibyte } },
  })
  subsystem = new NvmeSubsystem({
    nqn: String(nvme.data['target_nqn']),
    namespaces: { 1: { megabytes: 64, uuid: String(nvme.data['vol_uuid']) } },
  })
  ports = (nvme.data['portals'] as [string, number][]).map(
    ([address, service], index) => new NvmePort({ number: index + 1, address, service, subsystems: [subsystem] }),
  )
  folder = workingFolder()
  const { signal } = new AbortController()
  const { data: properties } = iscsi
  Object.assign(globalThis, {
    properties,
    connectionInfo: iscsi,
    nvmeProperties: nvme.data,
    key: 'open sesame',
    signal,
  })
  await detachAll()
  await settled()
  clean = snapshot()
})
after(async () => {
  for (const port of ports) port.remove()
  subsystem.remove()
  target.remove()
  await iscsid.stop()
  removeNvmeHost()
  for (const address of addresses) run('ip', 'address', 'delete', `${address}/32`, 'dev', 'lo')
  rmSync(folder, { recursive: true })
  rmSync(records, { recursive: true, force: true })
})
afterEach(async () => {
  await detachAll()
  await assertNothingLeft(clean)
})

/** What an example leaves attached, as most do. */
async function detachAll(): Promise<void> {
  for (const { driver_volume_type, data } of [iscsi, nvme]) {
    await InitiatorConnector.factory(driver_volume_type).disconnectVolume(data)
  }
}

describe('docs/csi.md', limit, () => {
  interface Plugin {
    stage: (path: string, volume: { protocol: string; properties: object }, options?: CallOptions) => Promise<void>
    unstage: (path: string, options?: CallOptions) => Promise<void>
  }
  const volume = { protocol: 'ISCSI', properties: { ...iscsi.data, auth_password: 'unused-secret' } }
  const staging = '/mnt/staging'
  const plugin = async (): Promise<Plugin> => (await runModule(example('docs/csi.md', 'ts'))) as Plugin
  const device = async (): Promise<string | undefined> =>
    (await inventory()).mounts.find(({ path }) => path === staging)?.source

  it('stages and unstages a volume, again and again', async () => {
    const { stage, unstage } = await plugin()
    await stage(staging, volume)
    const staged = await device()
    assert.match(staged ?? '', /^\/dev\/sd/)
    writeFileSync(`${staging}/file`, 'kept')
    assert.equal(spawnSync('grep', ['-r', 'unused-secret', records]).status, 1, 'a secret is kept')
    await stage(staging, volume)
    assert.equal(await device(), staged)
    await unstage(staging)
    assert.equal(await device(), undefined)
    await assertNothingLeft(clean)
    await unstage(staging)

    await stage(staging, volume)
    assert.equal(readFileSync(`${staging}/file`, 'utf8'), 'kept')
    await unstage(staging)
  })

  it('clears up a stage that was cut off, and an unstage that was', async () => {
    const { stage, unstage } = await plugin()
    const { driver_volume_type, data } = iscsi
    const connector: Connector = InitiatorConnector.factory(driver_volume_type)
    await stage(staging, volume)
    run('umount', staging) // cut off after the umount
    await unstage(staging)
    await assertNothingLeft(clean)

    await stage(staging, volume)
    run('umount', staging)
    await connector.disconnectVolume(data) // cut off after the detach
    await unstage(staging)

    await assert.rejects(stage(staging, volume, { signal: AbortSignal.abort() }), { code: 'ABORTED' }) // before the attach
    await unstage(staging)
  })
})

describe('docs/container.md', limit, () => {
  const [command] = blocks.filter(({ mark }) => mark === 'container')
  const words = (command?.code ?? '').replaceAll('\\\n', ' ').split(/\s+/)
  const valuesOf = (option: string): string[] =>
    words.flatMap((word, index) => (words[index - 1] === option ? [word] : []))
  const volumes = valuesOf('--volume').map((each) => each.split(':'))

  it('has the same mounts for Docker and for Kubernetes', () => {
    const { code } = example('docs/container.md', 'yaml')
    const mounted = [...code.matchAll(/mountPath: ([\w/-]+)/g)].map(([, path]) => path)
    const paths = [...code.matchAll(/hostPath: \{ path: ([\w/-]+) \}/g)].map(([, path]) => path)
    assert.deepEqual(mounted, paths)
    assert.deepEqual(mounted, [...volumes.map(([from]) => from), '/var/lib/kubelet'])
  })

  it('names all that has to be seen, and every privilege: with no more than that, volumes are attached and detached', () => {
    const container = new Container(volumes, valuesOf('--cap-add'))
    const without = new Container(
      volumes,
      valuesOf('--cap-add').filter((name) => name !== 'SYS_PTRACE'),
    )
    try {
      assert.match(without.hostbrick(['attach'], iscsi, 4), /iscsiadm is not installed/)
      for (const properties of [iscsi, nvme]) {
        const device = container.hostbrick(['attach'], properties)
        assert.ok(existsSync(device), device)
        assert.equal(container.hostbrick(['detach'], properties), '')
        assert.equal(existsSync(device), false)
      }
      assert.match(container.hostbrick(['doctor', 'iscsi', 'nvmeTcp', 'watch', 'udevd']), /^iscsi +works$/m)
    } finally {
      container.remove()
      without.remove()
    }
  })
})

// Last, since the last of them goes on telling what it hears.
for (const document of documents(root)) {
  const examples = blocks.filter((each) => each.document === document && each.mark === '')
  const runnable = examples.filter(({ language }) => ['ts', 'sh', 'python'].includes(language))
  if (runnable.length === 0) continue

  describe(document, limit, () => {
    let multipathd: Daemon | undefined
    before(async () => {
      if (document === 'docs/multipath.md') multipathd = await startMultipathd()
      if (document === 'docs/encryption.md') target.swap(lun, { megabytes: 20 * gibibyte })
    })
    after(() => multipathd?.stop())

    for (const example of runnable) {
      it(`has an example at line ${example.line} that works`, async () => {
        if (example.language === 'ts') await runModule(example)
        else runScript(example)
      })
    }
  })
}

/** The namespaces, mounts and capabilities of a container, and a root in which there is nothing else of the host's but programs. */
class Container {
  readonly #root = mkdtempSync('/mnt/container-')
  readonly #capabilities: string
  readonly #binds: string

  constructor(volumes: readonly string[][], capabilities: readonly string[]) {
    this.#capabilities = ['-all', ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(',')
    const mounts = [
      ['/usr', '/usr', 'ro'],
      ['/proc', '/proc'],
      [root, root],
      ...volumes.filter(([from = '']) => existsSync(from)),
    ]
    this.#binds = mounts
      .map(([from = '', to = '', mode = 'rw']) => {
        const at = join(this.#root, to)
        // /usr has the modules, and is read-only already.
        if (to === '/lib/modules') return 'true'
        return `mkdir -p ${at} && mount --rbind ${from} ${at} && mount -o remount,bind,${mode} ${at}`
      })
      .join(' && ')
  }

  /** What the command prints, whose exit status has to be this. */
  hostbrick(args: readonly string[], input: unknown = '', expected = 0): string {
    const links = ['bin', 'sbin', 'lib', 'lib64']
      .map((name) => `ln -s usr/${name} ${join(this.#root, name)}`)
      .join(' && ')
    const inside = ['chroot', this.#root, '/usr/bin/setpriv', `--bounding-set=${this.#capabilities}`]
    const command = [process.execPath, executable, ...args]
    // There is no iscsiadm in it, nor any other program that hostbrick could call.
    const hidden = `mount -t tmpfs nothing ${join(this.#root, 'usr/sbin')}`
    const script = `mount -t tmpfs container ${this.#root} && ${links} && ${this.#binds} && ${hidden} && exec "$@"`
    const apart = ['--mount', '--uts', '--ipc', '--cgroup', 'sh', '-c', script, 'sh', ...inside, ...command]
    const { status, stdout, stderr } = spawnSync('unshare', apart, { encoding: 'utf8', input: JSON.stringify(input) })
    assert.equal(status, expected, `${stdout}${stderr}`)
    return `${stdout}${expected === 0 ? '' : stderr}`.trim()
  }

  remove(): void {
    rmSync(this.#root, { recursive: true })
  }
}

/** The first block of a document in this language. */
function example(document: string, language: string): CodeBlock {
  const found = blocks.find((each) => each.document === document && each.language === language)
  return found ?? assert.fail(`${document} has no ${language}`)
}

/** The connection properties that a document shows. */
function propertiesIn(document: string): ConnectionInfo {
  return JSON.parse(example(document, 'json').code) as ConnectionInfo
}

/** A folder with the package, the command and the properties in it. */
function workingFolder(): string {
  const made = mkdtempSync('/tmp/documents-')
  mkdirSync(join(made, 'node_modules'))
  symlinkSync(root, join(made, 'node_modules/hostbrick'))
  mkdirSync(join(made, 'bin'))
  const command = join(made, 'bin/hostbrick')
  writeFileSync(command, `#!/bin/sh\nexec ${process.execPath} ${executable} "$@"\n`)
  chmodSync(command, 0o755)
  writeFileSync(join(made, 'volume.json'), JSON.stringify(iscsi))
  return made
}

/** Runs it to its end, as a module of its own, and returns what it exports. */
async function runModule(block: CodeBlock): Promise<unknown> {
  const { outputText } = ts.transpileModule(block.code, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  const file = join(folder, `${placeOf(block).replace(/[/:.]/g, '-')}.mjs`)
  writeFileSync(file, outputText)
  return (await import(file)) as unknown
}

function runScript({ language, code }: CodeBlock): void {
  const interpreter = language === 'sh' ? ['bash', '-e', '-o', 'pipefail', '-c'] : ['python3', '-c']
  const [program = '', ...options] = interpreter
  const { status, stdout, stderr } = spawnSync(program, [...options, code], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${folder}/bin:${process.env['PATH'] ?? ''}` },
  })
  assert.equal(status, 0, `${stdout}${stderr}`)
}
