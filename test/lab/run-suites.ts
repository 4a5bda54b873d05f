/**
 * run-suites.js SUITE...: runs in the guest, each suite in a process of its own, and prints the sum of their results.
 *
 * All suites share one boot, since a boot takes as long as a suite does. That they do not disturb each other is
 * verified: what a suite leaves behind on the host counts as a failure of this suite, and is named.
 *
 * Programs are not put at random addresses meanwhile: emulation translates them anew for each address, so that each
 * process would take three times as long to start. Benchmarks run as hosts do.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { difference, settled, snapshot } from './residue.ts'

const MINUTES = 60_000
const results = mkdtempSync(join(tmpdir(), 'results-'))
const total = { passed: 0, failed: 0, skipped: 0 }
/** Said once more at the end, where it is not lost among what follows from it. */
const firstFailures: string[] = []

writeFileSync('/proc/sys/kernel/randomize_va_space', '0')
for (const suite of process.argv.slice(2)) {
  console.log(`\n${suite}`)
  const clean = snapshot()
  runSuite(suite)
  stopDaemons()
  await settled()
  for (const line of difference(clean, snapshot())) {
    console.log(`${suite} has left behind: ${line}`)
    total.failed++
  }
}

for (const failure of firstFailures) console.log(`\nfirst of its suite to fail: ${failure}`)

const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`lab: ${total.passed} passed, ${total.failed} failed${skipped}`)
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1

function runSuite(suite: string): void {
  const report = join(results, `${suite}.tap`)
  writeFileSync(report, '') // a suite may die before it writes a word
  const program = join(import.meta.dirname, 'suites', `${suite}.test.js`)
  const options = [
    '--enable-source-maps',
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=tap',
    `--test-reporter-destination=${report}`,
  ]
  const { status, signal } = spawnSync(process.execPath, [...options, program], {
    stdio: 'inherit',
    timeout: 10 * MINUTES,
    killSignal: 'SIGKILL',
  })

  const failed = count(report, 'fail') + count(report, 'cancelled')
  if (failed > 0) firstFailures.push(`${suite}: ${firstFailure(report)}`)
  total.passed += count(report, 'pass')
  total.failed += failed
  total.skipped += count(report, 'skipped') + count(report, 'todo')
  if (failed === 0 && status !== 0) {
    console.log(`${suite} did not come to its end: ${signal ?? `exit status ${String(status)}`}`)
    total.failed++
  }
}

/** A suite that fails half way may not have come to stop them, and then the next one could not start its own. */
function stopDaemons(): void {
  for (const name of ['iscsid', 'multipathd', 'tlshd']) {
    const { status } = spawnSync('pkill', ['--exact', '--signal', 'KILL', name])
    if (status === 0) console.log(`${name} was still running`)
  }
}

/** The innermost test that failed first, with all that the report says of it. */
function firstFailure(report: string): string {
  const [, text = 'none is named'] = /^ *not ok \d+ - (.*?\n(?: *)\.\.\.)$/ms.exec(readFileSync(report, 'utf8')) ?? []
  return text.replace(/^ {4,}/gm, '  ')
}

/** A total of node:test's own, from a line such as "# pass 12" at the end of its report. */
function count(report: string, what: string): number {
  return Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(readFileSync(report, 'utf8'))?.[1] ?? 0)
}
