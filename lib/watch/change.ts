import type { BlockDevice } from '../inventory/block-device.ts'
import type { NvmeControllerState } from '../inventory/controllers.ts'

/** A change of this host's storage: plain objects, told apart by `kind` and `change`. */
export type HostChange = DeviceChange | SessionChange | ControllerChange | PathChange

/** A block device came, went, or is not as it was. One that took another's name is another device. */
export type DeviceChange =
  | { readonly kind: 'device'; readonly change: 'added' | 'removed'; readonly device: BlockDevice }
  | {
      readonly kind: 'device'
      readonly change: 'changed'
      readonly device: BlockDevice
      readonly before: BlockDevice
      /** What is not as before: 'size', 'readOnly', 'holders', 'slaves' and so on. */
      readonly fields: readonly (keyof BlockDevice)[]
    }

/** One iSCSI session of this host. */
export interface IscsiSession {
  /** The kernel's number of it, never used twice while the host runs. */
  readonly id: number
  /** The number of its SCSI host. */
  readonly host: number
  readonly target: string
  /** The portal it was configured for, as in 10.0.0.1:3260. */
  readonly portal: string
  /** The portal that it talks to: another one after a redirection, null without a connection. */
  readonly peer: string | null
  /** LOGGED_IN; FAILED while iscsid tries to reconnect it; FREE before its login is done, and when the patience with it is over. */
  readonly state: string
}

/** An iSCSI session was made, removed, changed its state, or its connection failed. */
export type SessionChange =
  | { readonly kind: 'session'; readonly change: 'added' | 'removed'; readonly session: IscsiSession }
  | {
      readonly kind: 'session'
      readonly change: 'state'
      readonly session: IscsiSession
      /** The state before. */
      readonly before: string
    }
  | {
      readonly kind: 'session'
      readonly change: 'error'
      readonly session: IscsiSession
      /** The kernel's name of the error, such as NOP_TIMEDOUT or TCP_CONN_CLOSE. */
      readonly error: string
    }

/** An NVMe controller was connected, deleted, or is in another state. */
export type ControllerChange =
  | { readonly kind: 'controller'; readonly change: 'added' | 'removed'; readonly controller: NvmeControllerState }
  | {
      readonly kind: 'controller'
      readonly change: 'state'
      readonly controller: NvmeControllerState
      /** The state before. */
      readonly before: string
    }

/** A multipath map, of which a path is. */
export interface MultipathPath {
  /** The path's device node. */
  readonly path: string
  readonly map: {
    /** The map's device node. */
    readonly path: string
    readonly name: string
    readonly wwid: string
  }
}

/** A path of a multipath map came, went, failed or works again. */
export interface PathChange extends MultipathPath {
  readonly kind: 'path'
  readonly change: 'added' | 'removed' | 'failed' | 'reinstated'
  /** How many paths of the map work now. */
  readonly working: number
}
