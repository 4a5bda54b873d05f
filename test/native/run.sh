#!/bin/bash
# run.sh: builds the native tests and runs them all under AddressSanitizer and UndefinedBehaviorSanitizer, those of
# threads again under ThreadSanitizer, and the fuzzers with libFuzzer where clang has it.
set -euo pipefail
cd "$(dirname "$0")/../.."

# build FOLDER SANITIZERS TARGET [CMAKE OPTION]...
build() {
  cmake -S . -B "$1" -G Ninja --log-level=WARNING -DCMAKE_BUILD_TYPE=Debug \
    -DHOSTBRICK_STRICT=ON -DHOSTBRICK_TESTS=ON -DHOSTBRICK_SANITIZE="$2" "${@:4}" >/dev/null
  cmake --build "$1" --target "$3" --parallel 2 -- --quiet
}

find_libfuzzer() {
  local compiler
  for compiler in clang++ clang++-19; do
    echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
      "$compiler" -fsanitize=fuzzer,address,undefined -x c++ - -o /dev/null 2>/dev/null || continue
    echo "$compiler"
    return
  done
}

export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
build build/native address,undefined all
ctest --test-dir build/native --output-on-failure --parallel 2 --progress

build build/native-tsan thread native_tests
build/native-tsan/test/native/native_tests --test-suite="lanes,monitor,session monitor"

compiler=$(find_libfuzzer)
if [[ -n $compiler ]]; then
  build build/native-fuzz address,undefined,fuzzer-no-link fuzzers -DCMAKE_CXX_COMPILER="$compiler"
  ctest --test-dir build/native-fuzz --output-on-failure --tests-regex '^fuzz_'
else
  echo 'No clang with libFuzzer (libclang-rt-dev): the fuzzers ran with the plain driver only.'
fi
