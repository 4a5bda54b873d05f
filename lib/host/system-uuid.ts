import { readFile } from '../files.ts'
import { hyphenated } from '../nvme/names.ts'

/**
 * The UUID that the machine's firmware has given it; undefined when it has none. In the order in which nvme-cli asks
 * (libnvme, nvmf_hostid_generate): what the kernel made of SMBIOS, SMBIOS itself, and POWER's device tree.
 *
 * @param root what comes before /sys and /proc
 */
export async function systemUuid(root: string, signal: AbortSignal): Promise<string | undefined> {
  const product = await readFile('sysfs', `${root}/sys/class/dmi/id/product_uuid`, signal)
  const entry = product ?? (await readFile('sysfs', `${root}/sys/firmware/dmi/entries/1-0/raw`, signal))
  const text = product?.toString() ?? (entry && uuidOfDmiEntry(entry))
  const partition = await readFile('sysfs', `${root}/proc/device-tree/ibm,partition-uuid`, signal)
  return asUuid(text) ?? asUuid(partition?.toString())
}

/**
 * SMBIOS 3.7, 7.2.1: 16 bytes of the system information, after its header and four numbers of texts. The first three
 * fields are little-endian.
 */
export function uuidOfDmiEntry(entry: Buffer): string | undefined {
  const uuid = Buffer.from(entry.subarray(8, 24))
  if (entry[0] !== 1 || uuid.length < 16) return undefined
  for (const field of [uuid.subarray(0, 4), uuid.subarray(4, 6), uuid.subarray(6, 8)]) field.reverse()
  return hyphenated(uuid.toString('hex'))
}

/** All zeros and all ones stand for none. */
function asUuid(text = ''): string | undefined {
  const uuid = text.replaceAll('\0', '').trim().toLowerCase()
  if (!/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/.test(uuid)) return undefined
  return /^[0-]+$|^[f-]+$/.test(uuid) ? undefined : uuid
}
