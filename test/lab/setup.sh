#!/bin/bash
# setup.sh: builds what the lab boots, once per machine: a Debian trixie root with the storage daemons and os-brick, its
# kernel, and an initramfs. Needs root, about two minutes and 1.5 GB. Later calls only see to it that its node is this one.
#
#   HOSTBRICK_LAB         where it goes (default /var/tmp/hostbrick-lab-guest)
#   HOSTBRICK_LAB_MIRROR  the Debian mirror (default: the one that this machine's own apt uses)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
lab=${HOSTBRICK_LAB:-/var/tmp/hostbrick-lab-guest}
root=$lab/root
log=

packages=(
  udev kmod iproute2 procps util-linux busybox-static              # a running system
  open-iscsi multipath-tools dmsetup nvme-cli ktls-utils rdma-core # what an attach talks to
  mdadm cryptsetup-bin e2fsprogs                                   # what a volume may carry
  nftables strace tcpdump sg3-utils lsscsi dmidecode               # faults, and a look at them
  python3-os-brick                                                 # the baseline
)

main() {
  mkdir -p "$lab/logs"
  exec 9>"$lab/lock"
  flock 9 # of two set-ups at once the second waits, and then finds the work done
  trap explain_failure EXIT

  # `ready` is the last file of a build and holds the hash of what shaped it: an interrupted build has none, and
  # a build by an earlier version of these scripts has another.
  local inputs
  inputs=$(cat "$here/setup.sh" "$here/guest/initramfs-init" | sha256sum)
  if [[ $(cat "$lab/ready" 2>/dev/null) != "$inputs" ]]; then
    require_root
    clear_earlier_build
    step install_base_system
    step install_packages
    step unpack_older_open_iscsi
    step install_kernel
    step make_initramfs
    echo "$inputs" >"$lab/ready"
  fi
  has_this_node || step make_root_disk
}

require_root() {
  [[ $(id -u) -eq 0 ]] && return
  echo 'lab: building the guest needs root (debootstrap)' >&2
  exit 1
}

clear_earlier_build() {
  local directory
  for directory in "$root/proc" "$root/sys"; do # debootstrap mounts these, and leaves them so when it is killed
    ! mountpoint --quiet "$directory" || umount --recursive "$directory"
  done
  rm -rf --one-file-system "$lab/ready" "$lab/accelerator" "$lab/root.ext4" "$root"
}

step() {
  echo "lab: ${1//_/ }"
  log=$lab/logs/$1.log
  "$1" >"$log" 2>&1
  log=
}

explain_failure() {
  [[ -n $log ]] || return 0
  tail -n 20 "$log" >&2
  echo "lab: set-up failed; the whole log is $log" >&2
}

install_base_system() {
  debootstrap --variant=minbase trixie "$root" "${HOSTBRICK_LAB_MIRROR:-$(mirror_of_this_machine)}"
}

# Of the archives in apt's sources, the one that is not for security updates.
mirror_of_this_machine() {
  apt-get indextargets --format '$(REPO_URI)' | grep --max-count=1 '/debian/$' ||
    { echo "No Debian mirror in apt's sources: set HOSTBRICK_LAB_MIRROR" >&2 && return 1; }
}

install_packages() {
  # The way out to the mirror is this machine's: its proxy settings and its name servers.
  cp /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  # Packages ask this file before they start a daemon, which must not happen in a chroot.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"

  in_root apt-get update
  in_root apt-get install --yes --no-install-recommends "${packages[@]}"
  in_root apt-get clean
}

# Debian 12's, for the suite that has it take the place of the installed one. It is unpacked into a folder of its own; the
# libraries that it needs are there already.
unpack_older_open_iscsi() {
  local sources=$root/etc/apt/sources.list.d/older.list
  sed 's/trixie/bookworm/' "$root/etc/apt/sources.list" >"$sources"
  in_root apt-get update
  in_root sh -ec 'mkdir -p /opt/open-iscsi && cd /tmp && apt-get download open-iscsi/bookworm libopeniscsiusr/bookworm
    for package in *.deb; do dpkg --extract "$package" /opt/open-iscsi; rm "$package"; done'
  rm "$sources"
  in_root apt-get update
}

# The kernel is unpacked, not installed: its install scripts would build an initramfs and a boot loader's menu.
install_kernel() {
  local package
  package=$(in_root apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  in_root sh -ec "cd /tmp && apt-get download '$package' && dpkg --extract linux-image-*.deb / && rm linux-image-*.deb"
  in_root depmod "$(kernel_release)"
  cp "$root/boot/vmlinuz-$(kernel_release)" "$lab/vmlinuz"
}

# Busybox, and the few modules that it takes to mount the root, numbered in the order of loading.
make_initramfs() {
  local tree=$lab/initramfs number=100 module name
  rm -rf "$tree"
  mkdir -p "$tree"/{bin,dev,modules,proc,root,sys,upper,lower}
  cp "$(command -v busybox)" "$tree/bin/busybox"
  cp "$here/guest/initramfs-init" "$tree/init"

  for module in $(modules_with_dependencies virtio_pci virtio_blk ext4 9pnet_virtio 9p overlay); do
    name=$(basename "$module" .xz)
    xz --decompress --stdout "$module" >"$tree/modules/$number-$name"
    number=$((number + 1))
  done

  (cd "$tree" && find . | cpio --create --format=newc --quiet | gzip --fast) >"$lab/initramfs.gz"
  rm -rf "$tree"
}

# The files of these modules and of what they depend on, each once, dependencies first; built-in ones have none.
modules_with_dependencies() {
  local module
  for module in "$@"; do
    modprobe --dirname "$root" --set-version "$(kernel_release)" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# The guest runs the very node that built the project, which may change at any time.
has_this_node() {
  [[ -e $lab/root.ext4 ]] && cmp --quiet "$(this_node)" "$root/usr/local/bin/node"
}

# A file system of the guest's own, as hosts have one: each look at a file that this machine shared would be a message to
# QEMU and back, a third of the time that a program takes to start. The file has holes where nothing is.
make_root_disk() {
  rm -f "$lab"/*.ext4 # first: an image with another node must not pass for one with this
  cp --remove-destination "$(this_node)" "$root/usr/local/bin/node"
  mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$root" "$lab/unfinished.ext4" 2G
  mv "$lab/unfinished.ext4" "$lab/root.ext4"
}

this_node() { node --print process.execPath; }
kernel_release() { ls "$root/usr/lib/modules"; }
in_root() { DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$root" "$@"; }

main
