// Builds the addon for this machine's platform and packs it into prebuilds/, where node-gyp-build finds it.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import prebuildify from 'prebuildify'

// prebuildify calls node-gyp and takes away what is then in build/Release. So cmake-js builds as its "preinstall", in a
// folder of its own, so that no developer's settings get into the package, and true(1) stands in for node-gyp.
const build = `cmake-js rebuild --log-level error --config Release --out build/prebuild --CDCMAKE_LIBRARY_OUTPUT_DIRECTORY=${resolve('build/Release')}`
await promisify(prebuildify)({ napi: true, strip: true, tagLibc: true, targets: ['20.19.0'], preinstall: build, nodeGyp: 'true' })

const binaries = readdirSync('prebuilds', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.node'))
const lines = binaries.sort().map((name) => {
  const bytes = readFileSync(`prebuilds/${name}`)
  return `${createHash('sha256').update(bytes).digest('hex')}  ${bytes.length}  ${name}`
})
writeFileSync('prebuilds/list.txt', `${lines.join('\n')}\n`)
