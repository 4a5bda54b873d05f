import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './command.ts'

/**
 * A stand-in for Huawei's sds_cli, which nobody but Huawei has: a program of its own that does what os-brick expects of
 * it. Its volumes are loop devices, and which of them are attached it keeps from call to call.
 */
export class SdsCli {
  readonly path: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'sds-'))

  constructor(megabytes: number) {
    this.path = join(this.#folder, 'sds_cli')
    writeFileSync(this.path, program(this.#folder))
    chmodSync(this.path, 0o755)
    writeFileSync(join(this.#folder, 'volume'), '')
    truncateSync(join(this.#folder, 'volume'), megabytes * 1024 * 1024)
  }

  /** What the verb says from now on instead of doing anything; of querydev only once a volume is attached. */
  answer(verb: 'attach' | 'detach' | 'querydev', output: string): void {
    writeFileSync(join(this.#folder, `say-${verb}`), output)
  }

  /** From now on the verb never comes to an end. */
  hang(verb: 'attach' | 'detach' | 'querydev'): void {
    run('mkfifo', join(this.#folder, `say-${verb}`))
  }

  /** Again does what it is told. */
  behave(): void {
    for (const verb of ['attach', 'detach', 'querydev']) rmSync(join(this.#folder, `say-${verb}`), { force: true })
  }

  /** What it was asked since the last time, one line per call. */
  takeCalls(): string[] {
    const calls = join(this.#folder, 'calls')
    const lines = existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : []
    rmSync(calls, { force: true })
    return lines
  }

  /** Something that is done past hostbrick. */
  run(verb: 'attach' | 'detach', volume: string): void {
    run(this.path, '-c', verb, '-v', volume)
    this.takeCalls()
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true })
  }
}

/** 50155007 is 'not on this node', 50151401 'attached already'. */
function program(folder: string): string {
  return `#!/bin/sh
verb=$2 volume=$4 attached=${folder}/attached-$4
echo "$verb $volume" >>${folder}/calls
say() { printf 'ret_code=%s\\nret_desc=%s\\n%s\\n' "$1" "$2" "$3"; exit 0; }
[ -e "$attached" ] || [ "$verb" != querydev ] || say 50155007 'not on this node'
[ ! -e ${folder}/say-$verb ] || exec cat ${folder}/say-$verb
case $verb in
  attach)
    [ ! -e "$attached" ] || say 50151401 'attached already'
    losetup --find --show ${folder}/volume >"$attached"
    say 0 success ;;
  detach)
    [ -e "$attached" ] || say 50155007 'not on this node'
    losetup --detach "$(cat "$attached")" && rm "$attached"
    say 0 success ;;
  querydev) say 0 success "dev_addr=$(cat "$attached")" ;;
esac
exit 1
`
}
