import { invalid } from '../errors.ts'

/** What a session runs over: an interface of open-iscsi. */
export interface Interface {
  /** The name of its record. */
  readonly name: string
  /** The kernel's name for what carries the session: 'tcp', 'iser', or the driver of an adapter as in 'cxgb4i'. */
  readonly transport: string
}

/** The kernel's own TCP, by whatever way routing finds. */
export const tcp: Interface = { name: 'default', transport: 'tcp' }

/** The interfaces that every open-iscsi has without a record: no more than a transport each. */
const builtIn: ReadonlyMap<string, Interface> = new Map(
  [tcp, { name: 'iser', transport: 'iser' }].map((each) => [each.name, each]),
)

/** Undefined for the name of a record. */
export function builtInInterface(name: string): Interface | undefined {
  return builtIn.get(name)
}

export function isBuiltIn({ name, transport }: Interface): boolean {
  return builtIn.get(name)?.transport === transport
}

/** The name of an interface, unchanged; it becomes a file's name and an argument. @throws BrickError INVALID_ARGUMENT */
export function interfaceName(name: unknown, field: string): string {
  // 64 bytes: ISCSI_MAX_IFACE_LEN.
  if (typeof name === 'string' && /^[a-z\d][\w.:-]{0,63}$/i.test(name)) return name
  throw invalid(field, "default, iser, or the name of one of open-iscsi's interfaces", name)
}
