import { getSystemErrorMap } from 'node:util'

/** What storage says that libuv, and so Node, has no name for (include/uapi/asm-generic/errno.h). */
const storageNames: Readonly<Record<number, string>> = {
  15: 'ENOTBLK',
  52: 'EBADE',
  53: 'EBADR',
  61: 'ENODATA',
  62: 'ETIME',
  67: 'ENOLINK',
  74: 'EBADMSG',
  84: 'EILSEQ',
  116: 'ESTALE',
  117: 'EUCLEAN',
  121: 'EREMOTEIO',
  123: 'ENOMEDIUM',
  124: 'EMEDIUMTYPE',
  126: 'ENOKEY',
  129: 'EKEYREJECTED',
}

/** Node makes the whole map anew whenever it is asked, and files that are not there are asked for all the time. */
let nodeNames: Map<number, [name: string, message: string]> | undefined

/** The name of an errno, given as Node and the addon give it: below 0. */
export function errnoName(errno: number): string {
  nodeNames ??= getSystemErrorMap()
  return nodeNames.get(errno)?.[0] ?? storageNames[-errno] ?? `errno ${-errno}`
}
