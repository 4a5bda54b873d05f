#!/bin/bash
# lint.sh [--fix]: checks the format of all C++ and what clang-tidy says of native/; --fix formats in place instead.
set -euo pipefail
cd "$(dirname "$0")/../.."

# find_tool NAME: the version that Debian 12 offers, or else the plain one.
find_tool() {
  command -v "$1-19" || command -v "$1" || {
    echo "$1 is missing: run test/setup.sh lint" >&2
    return 1
  }
}

format=$(find_tool clang-format)
# The compiler in native/toolchain brings headers of its own.
mapfile -t sources < <(find native test/native -name node_modules -prune -o \( -name '*.h' -o -name '*.cc' \) -print | sort)

if [[ ${1:-} == --fix ]]; then
  exec "$format" -i "${sources[@]}"
fi

"$format" --dry-run -Werror "${sources[@]}"

tidy=$(find_tool clang-tidy)
# What is compiled as one is read as one. The list of it is made by CMake.
npx cmake-js configure --log-level error --CDHOSTBRICK_STRICT=ON >/dev/null
node --print 'JSON.parse(fs.readFileSync("build/compile_commands.json")).map(({ file }) => file).join("\n")' |
  xargs --delimiter='\n' --max-procs="$(nproc)" --max-args=1 "$tidy" -p build --quiet --warnings-as-errors='*'
