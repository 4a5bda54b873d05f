import type { Ready } from '../volume/attach.ts'
import type { CallOptions } from '../operation.ts'
import type { DeviceInfo } from '../properties/device-info.ts'

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

/**
 * What each transport's connector does. Connection properties are what a storage backend hands out, in the JSON that
 * os-brick takes, nested or flat; they are never changed. All calls fail with a BrickError.
 */
export interface InitiatorConnector {
  /** Attaches the volume and returns its device, whose identity is proven. Attaching twice returns the same device. */
  connectVolume(properties: unknown, options?: ConnectOptions): Promise<DeviceInfo>
  /**
   * Removes the volume from this host, and with it everything that attaching it had brought. `deviceInfo` is what
   * `connectVolume` returned, here, in another process or in os-brick, or nothing. A volume that is not there is fine.
   */
  disconnectVolume(properties: unknown, deviceInfo?: unknown, options?: DisconnectOptions): Promise<void>
  /** Makes this host see the size that the volume now has on the backend, and returns it in bytes. */
  extendVolume(properties: unknown, options?: ExtendOptions): Promise<number>
  /** The device nodes of the volume's paths on this host; none when it is not attached. */
  getVolumePaths(properties: unknown, options?: CallOptions): Promise<string[]>
  /** Everything in the search path, whatever it is: os-brick does not look at the properties either. */
  getAllAvailableVolumes(properties?: unknown, options?: CallOptions): Promise<string[]>
  /** The folder where udev names this transport's devices; undefined where it has none. */
  getSearchPath(): string | undefined
  /** Whether the device answers a read that no cache can serve. */
  checkValidDevice(path: string, options?: CallOptions): Promise<boolean>
}
