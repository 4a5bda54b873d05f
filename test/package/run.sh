#!/bin/bash
# run.sh: packs the package, installs it as its users do, and tests what was installed: on each platform that it has a binary
# for, on a Debian that has nothing but node, and built from source. Needs root.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests=test/package
work=$PWD/build/package
runtimes=$PWD/$tests/runtimes

main() {
  test/setup.sh package
  # Half of the runtimes are for other machines, hence --force.
  is_current "$runtimes" || npm ci --prefix "$runtimes" --force --no-audit --no-fund --loglevel=error
  make_bare_debian
  make_musl x64 x86_64 /lib/ld-musl-x86_64.so.1 /usr/lib/x86_64-linux-gnu
  make_musl arm64 aarch64 "$(arm64_musl_loader)" /usr/aarch64-linux-gnu/lib

  rm -f "$work"/*.tgz
  npm pack --silent --pack-destination "$work"
  # Installed from a file too, so that nothing is asked of a registry.
  npm pack --silent --ignore-scripts --pack-destination "$work" ./node_modules/node-gyp-build
  copy_npm "$work"
  HOSTBRICK_BARE_DEBIAN=$debian node --import tsx --test --test-concurrency=2 --test-timeout=300000 $tests/*.test.ts
  tell_import_time
}

tell_import_time() {
  local folder=$work/import
  mkdir -p "$folder/node_modules/hostbrick"
  tar -xzf "$work"/hostbrick-*.tgz -C "$folder/node_modules/hostbrick" --strip-components=1
  (cd "$folder" && for _ in {1..15}; do
    node --input-type=module --eval 'const start = performance.now()
      await import("hostbrick")
      console.log((performance.now() - start).toFixed(1))'
  done) | sort --numeric-sort | sed -n '8s/.*/import: & ms, the median of 15/p'
}

is_current() { [[ ! $1/package-lock.json -nt $1/node_modules/.package-lock.json ]]; }

# The oldest release that Debian's archive still has: a base system, with node and npm copied into it.
make_bare_debian() {
  debian=${HOSTBRICK_BARE_DEBIAN:-/var/tmp/hostbrick-bare-debian}
  if [[ ! -e $debian/ready ]]; then
    rm -rf --one-file-system "$debian"
    mkdir -p "$debian" "$work"
    local mirror
    mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep --max-count=1 '/debian/$')
    debootstrap --variant=minbase bullseye "$debian" "$mirror" >"$work/debootstrap.log" ||
      { tail "$work/debootstrap.log" && return 1; }
    touch "$debian/ready"
  fi
  copy_npm "$debian/usr/local/lib/node_modules"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$debian/usr/local/bin/npm"
  cp --remove-destination "$(node --print process.execPath)" "$debian/usr/local/bin/node"
}

# copy_npm FOLDER: this machine's own npm, for machines that have none.
copy_npm() {
  rm -rf "$1/npm"
  mkdir -p "$1"
  cp -r "$(npm root --global)/npm" "$1/npm"
}

# make_musl ARCH MACHINE LOADER LIBRARIES: a folder with musl and the C++ library that Bun asks for, in lib. There is no Node
# for musl in the registries; Bun is a real program for musl that loads addons by Node-API.
make_musl() {
  local lib=$work/musl-$1/lib
  mkdir -p "$lib"
  cp -L "$3" "$4/libstdc++.so.6" "$4/libgcc_s.so.1" "$lib"
  [[ $lib/glibc.so -nt $tests/glibc-symbols.c ]] || compile_for_musl "$2" $tests/glibc-symbols.c "$lib/glibc.so"
  ln -sf glibc.so "$lib/ld-linux-x86-64.so.2" # which that C++ library asks for, too
}

compile_for_musl() {
  local zig
  zig=$(node --input-type=module --eval "import { zig } from './native/toolchain/install.js'; console.log(zig)")
  "$zig" cc -target "$1-linux-musl" -shared -fPIC -O1 -o "$3" "$2" 2>"$work/shim.log" ||
    { cat "$work/shim.log" && return 1; }
}

# arm64's musl is another architecture's package: it is fetched with lists of its own, so that this machine's stay as they are.
arm64_musl_loader() {
  local apt=$work/apt root=$work/musl-arm64/package
  if [[ ! -e $root/lib/ld-musl-aarch64.so.1 ]]; then
    mkdir -p "$apt"/{lists,cache/archives}/partial "$root"
    touch "$apt/status"
    local options=(-qq -o "Dir::State::Lists=$apt/lists" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
      -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update
    (cd "$apt" && apt-get "${options[@]}" download musl:arm64)
    dpkg --extract "$apt"/musl_*.deb "$root"
  fi
  echo "$root/lib/ld-musl-aarch64.so.1"
}

main
