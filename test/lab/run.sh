#!/bin/bash
# run.sh [SUITE...]                     runs these suites of test/lab/suites in the guest; without names, all
# run.sh --program NAME [ARGUMENT...]   runs test/lab/programs/NAME.ts in the guest
# run.sh --bench [NAME [ARGUMENT...]]   the same with bench or bench-NAME, whose report goes to build/bench
#
# Prepares whatever is missing first: packages, the build, the guest. HOSTBRICK_LAB_NO_BUILD=1 takes dist/ as it is.
# The last line that a run of suites prints is 'lab: N passed, N failed'.
set -euo pipefail
cd "$(dirname "$0")/../.."
lab=test/lab

main() {
  if [[ ${1:-} == --bench ]]; then
    local name=bench${2:+-$2}
    # Without its scripts, which compile what only other systems need.
    [[ -d $lab/peers/node_modules ]] || npm ci --ignore-scripts --no-audit --no-fund --prefix $lab/peers
    "$0" --program "$name" "${@:3}" | keep_files
    return
  fi
  if [[ ${1:-} == --program ]]; then
    [[ $# -ge 2 ]] || choose_from programs .ts
    local program=$2
    shift 2
    [[ -f $lab/programs/$program.ts ]] || choose_from programs .ts
    prepare
    exec $lab/boot.sh -t 3000 node --enable-source-maps "build/lab/programs/$program.js" "$@"
  fi

  local suites=("$@") suite
  [[ $# -gt 0 ]] || mapfile -t suites < <(list suites .test.ts)
  for suite in "${suites[@]}"; do
    [[ -f $lab/suites/$suite.test.ts ]] || choose_from suites .test.ts
  done
  prepare
  run_suites "${suites[@]}"
}

# The guest cannot write here: what is between the lines '<<<< FILE' and '>>>>' of its output is a file of build/bench.
keep_files() {
  mkdir -p build/bench
  awk '/^<<<< /{ file = "build/bench/" $2; printf "" > file; print "report: " file; next }
       /^>>>>$/{ close(file); file = ""; next }
       { if (file) print > file; else print; fflush() }'
}

list() { (cd "$lab/$1" && ls -- *"$2" | sed "s/$2\$//"); }

choose_from() {
  echo "lab: the $1 are: $(list "$1" "$2" | tr '\n' ' ')" >&2
  exit 2
}

prepare() {
  test/setup.sh lab
  [[ -n ${HOSTBRICK_LAB_NO_BUILD:-} ]] || npm run build --silent
  node_modules/.bin/tsc -p $lab/tsconfig.json
  # Static: the guest's C library is another release's.
  local program
  for program in nvme-floor inventory-floor uevent-clock; do
    gcc -static -O2 -Wall -Wextra -Wpedantic -o build/lab/$program $lab/$program.c
  done
  $lab/setup.sh
}

# A guest that dies does not print the totals, but this script always does.
run_suites() {
  local status=0
  output=$(mktemp)
  trap 'rm -f "$output"' EXIT
  $lab/boot.sh -t 3000 node build/lab/run-suites.js "$@" | tee "$output" || status=$?
  tail -n 1 "$output" | grep --quiet '^lab: .* failed' || echo 'lab: 0 passed, 1 failed'
  exit "$status"
}

main "$@"
