import type { Missing } from '../index.ts'

/** What to do about each thing that may be missing, by its name. */
const byName: Readonly<Record<string, string>> = {
  user: "run it in the host's user namespace; in Kubernetes hostUsers: true, which is the default",
  network: "run it in the host's network namespace: docker run --network host; in Kubernetes hostNetwork: true",
  root: 'run it as root',
  CAP_SYS_ADMIN: 'give it to the process: docker run --cap-add SYS_ADMIN, or --privileged',
  CAP_NET_ADMIN: 'give it to the process: docker run --cap-add NET_ADMIN, or --privileged',
  '/sys': 'mount it writable: in a container --privileged, or a bind mount of /sys',
  '/run': "mount it writable: in a container a bind mount of the host's /run",
  nvme_fabrics: 'modprobe nvme_fabrics, and name it in /etc/modules-load.d for the next boot',
  dm_mod: 'modprobe dm_multipath, and name it in /etc/modules-load.d for the next boot',
  RDMA: 'load the driver of the adapter; soft RoCE: rdma link add rxe0 type rxe netdev eth0',
  'Fibre Channel port': 'look at the cable, the zone and /sys/class/fc_host',
  '/dev/nvme-fabrics': "mount the host's /dev, and let the process open it: in a container --privileged",
  '/dev/mapper/control': "mount the host's /dev, and let the process open it: in a container --privileged",
  '@ISCSIADM_ABSTRACT_NAMESPACE': 'systemctl enable --now iscsid (Debian: package open-iscsi)',
  '/run/multipathd.socket': 'systemctl enable --now multipathd (Debian: package multipath-tools)',
  '/run/udev/control': "start systemd-udevd; in a container mount the host's /run",
  '/etc/iscsi/initiatorname.iscsi':
    'write InitiatorName=iqn.… into it (Debian: package open-iscsi does); in a container mount /etc/iscsi',
  '/etc/nvme/hostnqn':
    'nvme gen-hostnqn > /etc/nvme/hostnqn, or call ensureHostIdentity(); in a container mount /etc/nvme',
  'nvme_core.multipath': 'boot with nvme_core.multipath=Y; without it an NVMe volume has one path, or a disk for each',
}

const byKind: Readonly<Record<Missing['kind'], string>> = {
  module: "install the kernel's package that has it, or modprobe it on the host; in a container mount /lib/modules",
  device: 'make it, or let this process see and open it',
  capability: 'give it to this process',
  mount: 'mount it writable',
  namespace: "run this process in the host's",
  socket: 'start the daemon that listens there',
  file: 'write it, or let this process read it',
  program: 'install it',
  setting: 'change it',
}

/** What to do so that it is there. */
export function remedyFor({ kind, name }: Missing): string {
  return byName[name] ?? byKind[kind]
}
