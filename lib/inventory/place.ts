import type { ScsiPlace, Transport } from './block-device.ts'

/** Which SCSI device a path below /sys/devices is, or hangs on. */
export function scsiPlaceOf(path: string): ScsiPlace | null {
  const [, hctl, host, lun] = /\/target[\d:]+\/((\d+):\d+:\d+:(\d+))(?:\/|$)/.exec(path) ?? []
  if (hctl === undefined) return null
  const session = /\/session(\d+)\//.exec(path)?.[1]
  const remotePort = /\/(rport-[\d:-]+)\//.exec(path)?.[1]
  return {
    hctl,
    host: Number(host),
    lun: Number(lun),
    session: session === undefined ? null : Number(session),
    remotePort: remotePort ?? null,
  }
}

/** What is in a path below /sys/devices, and what it tells. The first that is found decides. */
const transports: readonly (readonly [RegExp, Transport])[] = [
  [/\/session\d+\//, 'iscsi'],
  [/\/rport-/, 'fc'],
  [/\/end_device-/, 'sas'],
  [/\/usb\d+\//, 'usb'],
  [/\/ata\d+\//, 'ata'],
  [/\/target\d/, 'scsi'],
  [/\/nvme/, 'nvme'],
  [/\/virtio\d+\//, 'virtio'],
  [/\/mmc_host\//, 'mmc'],
]

export function transportOf(path: string): Transport {
  return transports.find(([pattern]) => pattern.test(path))?.[1] ?? null
}
