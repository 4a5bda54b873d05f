import type { CallOptions } from '../operation.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import type { Ready } from './attach.ts'

export interface ConnectOptions extends CallOptions {
  /**
   * With multipath: 'first' returns as soon as the device can be used, while other paths are still on their way (the
   * default); 'all' when every portal has been tried and the map has every path that is up.
   */
  ready?: Ready | undefined
}

export interface DisconnectOptions extends CallOptions {
  /** Go on when the device is in use or cannot be flushed, and say so at the end. What was not written is lost. */
  force?: boolean | undefined
  /** With `force`: do not say so at the end. */
  ignoreErrors?: boolean | undefined
}

export interface ExtendOptions extends CallOptions {
  /** What the volume should have grown to; a smaller device is an error. */
  expectedBytes?: number | undefined
}

/** What a connector does with one volume: what volumes are made of that are more than one device of a transport. */
export interface VolumeCalls {
  connect(options: ConnectOptions): Promise<DeviceInfo>
  /** `deviceInfo` is what the caller has been given for it, or nothing. */
  disconnect(deviceInfo: unknown, options: DisconnectOptions): Promise<void>
  extend(options: ExtendOptions): Promise<number>
  /** The device nodes of its paths; none when it is not attached. */
  paths(options: CallOptions): Promise<string[]>
}

/** For a call that is a part of an operation: it ends with the operation. */
export function within({ signal, remaining }: { signal: AbortSignal; remaining: number }): {
  signal: AbortSignal
  timeout: number
} {
  return { signal, timeout: Math.max(1, remaining) }
}
