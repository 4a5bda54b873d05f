#!/bin/bash
# boot.sh [-t SECONDS] COMMAND [ARGUMENT...]: boots the lab's guest and runs the command in it, as root, in /share, which
# is this repository, read-only. Ends with the command's exit status. What the guest changes is gone afterwards.
#
#   -t SECONDS           the limit for everything, boot included (default 900)
#   HOSTBRICK_LAB        where setup.sh put the guest (default /var/tmp/hostbrick-lab-guest)
#   HOSTBRICK_LAB_ACCEL  tcg or kvm (default: kvm where a trial boot with it has worked)
#
# Exit status 99: the guest ended without one (a panic, say); 124: the time was up.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
lab=${HOSTBRICK_LAB:-/var/tmp/hostbrick-lab-guest}
limit=900

usage() {
  echo 'usage: boot.sh [-t SECONDS] COMMAND [ARGUMENT...]' >&2
  exit 2
}

while getopts t: option; do
  case $option in
    t) limit=$OPTARG ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[[ $# -gt 0 ]] || usage

main() {
  channels=$(mktemp --directory)
  trap 'rm -rf "$channels"' EXIT
  accelerator=$(choose_accelerator)
  printf '%q ' "$@" >"$channels/command"
  touch "$channels/exit"

  local ended status
  start_guest
  if panicked_at_start; then
    echo 'lab: the kernel panicked before its first process, and is started once more' >&2
    keep_console
    start_guest
  fi

  status=$(cat "$channels/exit")
  if [[ -z $status ]]; then
    if [[ $ended -eq 124 || $ended -eq 137 ]]; then
      echo "lab: the guest was stopped after $limit s" >&2
      status=124
    else
      echo 'lab: the guest ended without an exit status; its last words:' >&2
      tail -n 15 "$channels/qemu" "$channels/console" >&2
      status=99
    fi
  fi
  [[ $status -eq 0 ]] || keep_console
  exit "$status"
}

start_guest() {
  : >"$channels/console"
  # QEMU opens its standard output by name, which would empty it if it were a file: it gets a pipe.
  set +e
  run_guest 2>"$channels/qemu" | cat
  ended=${PIPESTATUS[0]}
  set -e
}

# QEMU 7.2's emulation may still run a breakpoint that the kernel had in its code for a moment while it started: "Oops: int3"
# in sched_clock_cpu, one boot of fifteen. Nothing of ours has run by then.
panicked_at_start() {
  grep --quiet 'Kernel panic' "$channels/console" && ! grep --quiet 'lab: started' "$channels/console"
}

# Three channels lead out of the guest, so that nothing has to be picked apart: the console goes to a log,
# the command's output to ours, and its exit status to a file.
# Two hubs with two network cards each: Fibre Channel over Ethernet needs them, and a PCI address each.
run_guest() {
  qemu "$accelerator" "$limit" '' \
    -serial "file:$channels/console" \
    -device virtio-serial \
    -chardev file,id=output,path=/dev/stdout -device virtserialport,chardev=output,name=lab.output \
    -chardev "file,id=exit,path=$channels/exit" -device virtserialport,chardev=exit,name=lab.exit \
    -fw_cfg "name=opt/lab/command,file=$channels/command" \
    -drive "file=$lab/root.ext4,format=raw,if=none,id=root,readonly=on" -device virtio-blk-pci,drive=root \
    -virtfs "local,mount_tag=share,path=$repository,security_model=none,readonly=on,multidevs=remap" \
    -device virtio-rng-pci \
    -netdev hubport,id=first,hubid=0 -device e1000e,netdev=first,mac=52:54:00:00:00:01 \
    -netdev hubport,id=second,hubid=0 -device e1000e,netdev=second,mac=52:54:00:00:00:02 \
    -netdev hubport,id=third,hubid=1 -device e1000e,netdev=third,mac=52:54:00:00:00:03 \
    -netdev hubport,id=fourth,hubid=1 -device e1000e,netdev=fourth,mac=52:54:00:00:00:04
}

# qemu ACCELERATOR SECONDS BOOT-OPTION [DEVICE...]: the machine without its devices.
qemu() {
  local accelerator=$1 seconds=$2 boot_option=$3
  shift 3
  timeout --foreground --kill-after=5 "$seconds" qemu-system-x86_64 \
    -accel "$accelerator" -cpu max -smp 2 -m 3072 -nodefaults -display none -no-reboot \
    -uuid 6b0d1a5e-8f0c-4c9b-9d57-1f2e3a4b5c6d \
    -kernel "$lab/vmlinuz" -initrd "$lab/initramfs.gz" \
    -append "console=ttyS0 panic=-1 quiet mitigations=off nokaslr $boot_option" "$@" </dev/null
}

# Emulation works everywhere. KVM is many times faster, but that /dev/kvm can be opened does not mean that it works: under
# some hypervisors a guest hangs as soon as it leaves the BIOS. A trial boot decides, once for each boot of this machine.
choose_accelerator() {
  local emulation=tcg,thread=multi boot_id answer
  case ${HOSTBRICK_LAB_ACCEL:-} in
    tcg) echo "$emulation" && return ;;
    kvm) echo kvm && return ;;
  esac
  if [[ ! -w /dev/kvm ]]; then
    echo "$emulation"
    return
  fi

  boot_id=$(cat /proc/sys/kernel/random/boot_id)
  if ! grep --quiet "^$boot_id " "$lab/accelerator" 2>/dev/null; then
    echo 'lab: trying KVM, for up to 30 s, this once' >&2
    answer=$emulation
    if qemu kvm 30 lab.probe -serial stdio 2>&1 | grep 'lab: alive' >/dev/null; then
      answer=kvm
    fi
    echo "$boot_id $answer" >"$lab/accelerator"
  fi
  cut -d ' ' -f 2 "$lab/accelerator"
}

keep_console() {
  local kept
  kept=$lab/logs/console-$(date +%Y%m%d-%H%M%S)-$$.log
  mkdir -p "$lab/logs"
  cp "$channels/console" "$kept"
  echo "lab: the guest's console: $kept" >&2
}

main "$@"
