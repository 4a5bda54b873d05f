import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { describe, it } from 'node:test'
import { dependency, freshFolder, install, look, root, say, tarball } from './installed.ts'
import type { Looked } from './installed.ts'

const platforms = [
  'linux-arm64/hostbrick.glibc',
  'linux-arm64/hostbrick.musl',
  'linux-x64/hostbrick.glibc',
  'linux-x64/hostbrick.musl',
]

/** A folder of its own, to be changed, of what has been installed. */
function copyOfInstalled(): string {
  const folder = freshFolder()
  cpSync(install(), folder, { recursive: true })
  return folder
}

describe('the package', () => {
  it('holds the binaries, the compiled library with its types, what the binaries are built from, and nothing else', () => {
    const files = say('tar', ['--list', '--file', tarball]).trim().split('\n')
    const kinds = [
      /^package\/(README\.md|CHANGELOG\.md|LICENSE|package\.json|man\/hostbrick\.1)$/,
      /^package\/prebuilds\/(list\.txt|linux-[^/]+\/hostbrick\.[^/]+\.node)$/,
      /^package\/bundle\/.*\.js$|^package\/dist\/.*\.d\.ts$/,
      /^package\/(CMakeLists\.txt|native\/(exports\.map|([a-z]+\/)?[a-z_]+\.(cc|h)))$/,
    ]
    assert.deepEqual(
      files.filter((file) => !kinds.some((kind) => kind.test(file))),
      [],
    )
    const binaries = files.filter((file) => file.endsWith('.node')).sort()
    assert.deepEqual(
      binaries,
      platforms.map((name) => `package/prebuilds/${name}.node`),
    )
  })

  it('is less than 2 MB', () => {
    assert.equal(statSync(tarball).size < 2_000_000, true, `${statSync(tarball).size} bytes`)
  })

  it('lists the binaries by size and hash', () => {
    const prebuilds = `${install()}/node_modules/hostbrick/prebuilds`
    const listed = readFileSync(`${prebuilds}/list.txt`, 'utf8').trim().split('\n')
    const found = platforms.map((name) => {
      const [hash = ''] = say('sha256sum', [`${prebuilds}/${name}.node`]).split(' ')
      return `${hash}  ${statSync(`${prebuilds}/${name}.node`).size}  ${name}.node`
    })
    assert.deepEqual(listed, found)
  })

  it('brings only what chooses the binary along, and runs nothing when it is installed', () => {
    const installed = install()
    assert.deepEqual(
      readdirSync(`${installed}/node_modules`).filter((name) => !name.startsWith('.')),
      ['hostbrick', 'node-gyp-build'],
    )
    const { scripts } = JSON.parse(readFileSync(`${installed}/node_modules/hostbrick/package.json`, 'utf8')) as {
      scripts: object
    }
    const atInstall = ['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'prepare', 'postprepare']
    assert.deepEqual(
      Object.keys(scripts).filter((name) => atInstall.includes(name)),
      [],
    )
  })
})

describe('the types', () => {
  const program = [
    '--noEmit',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--target',
    'es2022',
    '--lib',
    'es2023,esnext.disposable',
  ]
  const types = ['--types', 'node', '--typeRoots', `${root}node_modules/@types`]

  for (const [kind, ...options] of [
    ['Node', '--module', 'nodenext'],
    ['a bundler', '--module', 'esnext', '--moduleResolution', 'bundler'],
  ]) {
    it(`hold for a strict program for ${kind}`, () => {
      const folder = copyOfInstalled()
      cpSync(`${root}test/types/surface.ts`, `${folder}/surface.ts`)
      say(`${root}node_modules/.bin/tsc`, [...program, ...types, ...options, 'surface.ts'], { cwd: folder })
    })
  }

  it('are found as publint and Are The Types Wrong want it', () => {
    say(`${root}node_modules/.bin/publint`, [tarball, '--strict'])
    say(`${root}node_modules/.bin/attw`, [tarball, '--profile', 'esm-only'])
  })
})

describe('on an old Debian with nothing but node, the package', () => {
  const debian = process.env['HOSTBRICK_BARE_DEBIAN'] ?? '/var/tmp/hostbrick-bare-debian'
  const inDebian = (script: string): string =>
    say('unshare', [
      '--mount',
      'sh',
      '-ec',
      `mount --rbind /proc ${debian}/proc; mount --rbind /sys ${debian}/sys; mount --bind /dev ${debian}/dev
      exec chroot ${debian} env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/root sh -ec "$0"`,
      script,
    ])
  cpSync(tarball, `${debian}/root/hostbrick.tgz`)
  cpSync(dependency, `${debian}/root/node-gyp-build.tgz`)

  it('finds no compiler and no Python', () => {
    const found = inDebian(
      'for name in cc gcc c++ g++ clang cmake make ninja python python3; do command -v $name || true; done',
    )
    assert.equal(found, '')
  })

  it('is installed, and makes an inventory', () => {
    inDebian(`rm -rf /root/agent; mkdir /root/agent; cd /root/agent; echo '{ "type": "module" }' >package.json
      npm install --offline --no-audit --no-fund /root/hostbrick.tgz /root/node-gyp-build.tgz
      cat >look.js <<'END'\n${look}\nEND`)
    const { binary, devices } = JSON.parse(inDebian('cd /root/agent; node look.js')) as Looked
    assert.match(binary, /\/linux-x64\/hostbrick\.glibc\.node$/)
    assert.deepEqual([...devices].sort(), readdirSync('/sys/class/block').sort())
  })

  it('lists the devices by its command', () => {
    const { devices } = JSON.parse(inDebian('cd /root/agent; node_modules/.bin/hostbrick ls --json')) as {
      devices: { name: string }[]
    }
    assert.deepEqual(devices.map(({ name }) => name).sort(), readdirSync('/sys/class/block').sort())
  })
})

describe('where no binary fits, the package', () => {
  const installed = copyOfInstalled()
  rmSync(`${installed}/node_modules/hostbrick/prebuilds`, { recursive: true })

  it('is imported, and says at the first call what it lacks and what to do, which works', () => {
    const script = `const { inventory } = await import('hostbrick')
      await inventory().catch(({ code, message }) => console.log(JSON.stringify({ code, message })))`
    const said = say('node', ['--input-type=module', '--eval', script], { cwd: installed })
    const { code, message } = JSON.parse(said) as { code: string; message: string }
    const [, command = ''] =
      /^hostbrick has no binary that works on linux-x64 with glibc: build one with '(.*)'$/.exec(message) ?? []
    assert.equal(code, 'NOT_SUPPORTED')

    say('sh', ['-c', command], { cwd: '/' })
    const { binary, isValid } = JSON.parse(say('node', ['look.js'], { cwd: installed })) as Looked
    assert.equal(binary, `${installed}/node_modules/hostbrick/build/Release/hostbrick.node`)
    assert.equal(isValid, false)
  })
})

describe('a binary', () => {
  it('is the same, byte for byte, when it is built again in another folder', () => {
    const folder = freshFolder()
    for (const name of ['native', 'CMakeLists.txt', 'package.json']) {
      cpSync(`${root}${name}`, `${folder}/${name}`, {
        recursive: true,
        filter: (file) => !file.endsWith('/node_modules'),
      })
    }
    symlinkSync(`${root}node_modules`, `${folder}/node_modules`)
    symlinkSync(`${root}native/toolchain/node_modules`, `${folder}/native/toolchain/node_modules`)
    say('node', ['native/prebuild.js', 'x64.glibc'], { cwd: folder })

    const listed = readFileSync(`${folder}/prebuilds/list.txt`, 'utf8').trim()
    const packed = say('tar', ['--extract', '--to-stdout', '--file', tarball, 'package/prebuilds/list.txt'])
    assert.equal(packed.split('\n').includes(listed), true, `${listed}\nis not among\n${packed}`)
  })
})
