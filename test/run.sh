#!/bin/bash
# What `npm test` runs: sets up what is missing, builds, and runs unit tests, native tests, those of the package
# and the lab's suites.
set -euo pipefail
cd "$(dirname "$0")/.."
test/setup.sh lab package
npm run --silent build
echo '== unit tests'
npm run --silent test:unit
echo '== native tests, under AddressSanitizer and UndefinedBehaviorSanitizer'
npm run --silent test:native
echo '== the package, on every platform that it has a binary for'
npm run --silent test:package
echo '== the lab'
HOSTBRICK_LAB_NO_BUILD=1 test/lab/run.sh
