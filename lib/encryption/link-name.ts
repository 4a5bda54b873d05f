/** Where os-brick and whoever encrypts a volume meet: see `LinkedVolume`. */
export const linkFolder = '/dev/disk/by-id'
const prefix = `${linkFolder}/os-brick`

/** The name of the link to a device, as os-brick makes it: '/dev/disk/by-id/os-brick+dev+dm-3'. */
export function linkTo(path: string): string {
  return `${prefix}${path.replaceAll('/', '+')}`
}

export function isLink(path: string): boolean {
  return path.startsWith(`${prefix}+`)
}

/** The device node that such a link was made for; any other path as it is. */
export function originalPath(path: string): string {
  return isLink(path) ? path.slice(prefix.length).replaceAll('+', '/') : path
}
