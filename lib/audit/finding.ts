/** What may be left over on a host. */
export type FindingKind =
  | 'failed-path'
  | 'map-without-paths'
  | 'identity-changed'
  | 'session-without-units'
  | 'controller-reconnecting'
  | 'suspended-map'
  | 'dangling-link'

/** Something that somebody should look at. */
export interface Finding {
  readonly kind: FindingKind
  /** The device node, session, controller or link that it is about. */
  readonly subject: string
  /** What it was found by. */
  readonly evidence: Readonly<Record<string, string | number | null | readonly string[]>>
  /** How to put it right without harm, step by step. hostbrick does nothing of it by itself. */
  readonly plan: readonly string[]
}
