// What a prebuilt binary may ask of the host that loads it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'

const machines = { x64: 'Advanced Micro Devices X86-64', arm64: 'AArch64' }
/** The newest glibc whose symbols may be used: Node's own binaries, from 20 to 26, ask for the same. */
const newestGlibc = '2.28'
const libraries = {
  glibc: ['libc.so.6', 'libdl.so.2', 'libm.so.6', 'libpthread.so.0', 'ld-linux-aarch64.so.1', 'ld-linux-x86-64.so.2'],
  musl: ['libc.so'],
}

/** Fails unless the file is for this platform, needs nothing that the platform may lack, and exports the module only. */
export function check(file, arch, libc) {
  const read = (what) => execFileSync('readelf', ['--wide', what, file], { encoding: 'utf8' })
  const all = (text, pattern) => [...text.matchAll(pattern)].map(([, found]) => found)

  assert.match(read('--file-header'), new RegExp(`Machine:\\s+${machines[arch]}`), `${file} is not for ${arch}`)

  const foreign = all(read('--dynamic'), /\(NEEDED\).*\[(.*)\]/g).filter((name) => !libraries[libc].includes(name))
  assert.deepEqual(foreign, [], `${file} needs libraries that a host may not have`)

  const newer = all(read('--version-info'), /Name: GLIBC_([\d.]+)/g).filter((version) => isNewer(version, newestGlibc))
  assert.deepEqual(newer, [], `${file} needs symbols that glibc ${newestGlibc} does not have`)

  const exported = all(read('--dyn-syms'), / (?:GLOBAL|WEAK) +DEFAULT +\d+ (\S+)$/gm).sort()
  assert.deepEqual(exported, ['napi_register_module_v1', 'node_api_module_get_api_version_v1'], `exports of ${file}`)

  assert.doesNotMatch(read('--section-headers'), /\.symtab|\.debug/, `${file} is not stripped`)
}

function isNewer(version, than) {
  return version.localeCompare(than, 'en', { numeric: true }) > 0
}
