// npm run build:prebuilds [-- x64.glibc …]: builds the addon for each platform that the package is for, all of them on this
// machine, proves that they load wherever Node does, and lists them in prebuilds/list.txt.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import prebuildify from 'prebuildify'
import { check } from './check-binary.js'
import { zig } from './toolchain/install.js'

/** What zig calls each platform. glibc 2.28 is what Node itself asks for. */
const platforms = {
  'x64.glibc': 'x86_64-linux-gnu.2.28',
  'x64.musl': 'x86_64-linux-musl',
  'arm64.glibc': 'aarch64-linux-gnu.2.28',
  'arm64.musl': 'aarch64-linux-musl',
}

Object.assign(process.env, { ZIG: zig, CMAKE_TOOLCHAIN_FILE: resolve('native/toolchain/zig.cmake') })

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(platforms)
for (const platform of wanted) {
  const [arch, libc] = platform.split('.')
  const cwd = resolve(`build/prebuild/${platform}`)
  mkdirSync(cwd, { recursive: true })
  process.env.ZIG_TARGET = platforms[platform]
  // prebuildify calls node-gyp and takes away what is then in build/Release. So cmake-js builds as its "preinstall", in a
  // folder of its own, so that no developer's build is touched, and true(1) stands in for node-gyp.
  const preinstall = `cmake-js build --log-level error --config Release --directory ${resolve('.')} --out ${cwd}/build`
  const [name, out, targets] = ['hostbrick', resolve('.'), ['20.19.0']]
  await promisify(prebuildify)({ cwd, out, name, arch, libc, targets, napi: true, tagLibc: true, preinstall, nodeGyp: 'true' })
  check(`prebuilds/linux-${arch}/hostbrick.${libc}.node`, arch, libc)
}

const binaries = readdirSync('prebuilds', { recursive: true }).filter((file) => file.endsWith('.node'))
const lines = binaries.sort().map((file) => {
  const bytes = readFileSync(`prebuilds/${file}`)
  return `${createHash('sha256').update(bytes).digest('hex')}  ${bytes.length}  ${file}`
})
writeFileSync('prebuilds/list.txt', `${lines.join('\n')}\n`)
console.log(lines.join('\n'))
