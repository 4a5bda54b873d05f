import type { CallOptions } from '../operation.ts'
import type { DeviceInfo } from '../properties/device-info.ts'
import type { ConnectOptions, DisconnectOptions, ExtendOptions } from '../volume/calls.ts'

export type { ConnectOptions, DisconnectOptions, ExtendOptions }

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
