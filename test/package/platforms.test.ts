import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { install, root, say, work } from './installed.ts'
import type { Looked } from './installed.ts'

const runtimes = `${root}test/package/runtimes/node_modules`
const installed = install()

/** What runs a program for another architecture, or on musl: there each library is found in a folder of ours. */
const qemu = (libraries: string): string[] => ['qemu-aarch64-static', '-L', libraries]
const musl = (arch: string): { LD_LIBRARY_PATH: string; LD_PRELOAD: string } => {
  const lib = `${work}/musl-${arch}/lib`
  return { LD_LIBRARY_PATH: lib, LD_PRELOAD: `${lib}/glibc.so` }
}
const inQemu = (env: object): string[] =>
  Object.entries(env).flatMap(([name, value]) => ['-E', `${name}=${String(value)}`])

const platforms: { name: string; arch: string; libc: string; command: string[]; env?: object }[] = [
  { name: 'Node 22', arch: 'x64', libc: 'glibc', command: [`${runtimes}/node-22/bin/node`] },
  { name: 'Node 24', arch: 'x64', libc: 'glibc', command: [`${runtimes}/node-24/bin/node`] },
  { name: 'Node 26', arch: 'x64', libc: 'glibc', command: [`${runtimes}/node-26/bin/node`] },
  { name: 'the Node of these tests', arch: 'x64', libc: 'glibc', command: [process.execPath] },
  {
    name: 'Node 24 for arm64, emulated',
    arch: 'arm64',
    libc: 'glibc',
    command: [...qemu('/usr/aarch64-linux-gnu'), `${runtimes}/node-arm64/bin/node`],
  },
  { name: 'Bun on musl', arch: 'x64', libc: 'musl', command: [`${runtimes}/bun-musl-x64/bin/bun`], env: musl('x64') },
  {
    name: 'Bun on musl for arm64, emulated',
    arch: 'arm64',
    libc: 'musl',
    command: [...qemu(`${work}/musl-arm64`), ...inQemu(musl('arm64')), `${runtimes}/bun-musl-arm64/bin/bun`],
  },
]

describe('the binary for', () => {
  for (const { name, arch, libc, command, env = {} } of platforms) {
    it(`${arch} and ${libc} makes an inventory in ${name}`, () => {
      const [program = '', ...parameters] = command
      const looked = JSON.parse(say(program, [...parameters, 'look.js'], { cwd: installed, env })) as Looked
      assert.deepEqual(
        { ...looked, devices: [...looked.devices].sort() },
        {
          binary: `${installed}/node_modules/hostbrick/prebuilds/linux-${arch}/hostbrick.${libc}.node`,
          arch,
          devices: readdirSync('/sys/class/block').sort(),
          isValid: false,
        },
      )
    })
  }
})
