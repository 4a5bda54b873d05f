#!/bin/bash
# setup.sh [lab] [lint] [package]: what this machine lacks to build the project, and with a name also to run the lab, the
# native linters or the tests of the package. Needs node and Debian's apt; changes nothing when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(g++ make cmake ninja-build doctest-dev)
for group in "$@"; do
  case $group in
    lab) packages+=(qemu-system-x86 debootstrap busybox-static e2fsprogs cpio kmod xz-utils) ;;
    lint)
      # Debian 12 has these under their version only; in later releases the plain name is at least as new.
      suffix=$(. /etc/os-release && [[ ${VERSION_ID:-} != 12 ]] || echo -19)
      packages+=("clang-format$suffix" "clang-tidy$suffix" "clang$suffix" "libclang-rt$suffix-dev")
      ;;
    package)
      packages+=(debootstrap musl qemu-user-static)
      packages+=(libc6-arm64-cross libstdc++6-arm64-cross libgcc-s1-arm64-cross libatomic1-arm64-cross)
      ;;
    *)
      echo "usage: test/setup.sh [lab] [lint] [package]" >&2
      exit 2
      ;;
  esac
done

is_installed() {
  [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done

if [[ ${#missing[@]} -gt 0 ]]; then
  install=(apt-get install --yes --quiet --quiet --no-install-recommends "${missing[@]}")
  if [[ $(id -u) -ne 0 ]]; then
    echo "Some packages are missing. As root, run: apt-get update && ${install[*]}" >&2
    exit 1
  fi
  apt-get update --quiet --quiet
  DEBIAN_FRONTEND=noninteractive "${install[@]}"
fi

# npm writes node_modules/.package-lock.json when an install is complete: missing or older means out of date.
if [[ package-lock.json -nt node_modules/.package-lock.json ]]; then
  npm ci --no-audit --no-fund
fi
