export { audit } from './audit/audit.ts'
export type { Finding, FindingKind } from './audit/finding.ts'
export { ISCSIConnector } from './connectors/iscsi.ts'
export type { ISCSIConnectorOptions } from './connectors/iscsi.ts'
export { NVMeOFConnector } from './connectors/nvmeof.ts'
export type { NVMeOFConnectorOptions } from './connectors/nvmeof.ts'
export type {
  ConnectOptions,
  DisconnectOptions,
  ExtendOptions,
  InitiatorConnector,
} from './connectors/initiator-connector.ts'
export { BrickError, errorCodes } from './errors.ts'
export type { BrickErrorOptions, ErrorCode } from './errors.ts'
export { Inventory, inventory } from './inventory/inventory.ts'
export type { BlockDevice, DeviceMap, NvmePlace, RaidArray, ScsiPlace, Transport } from './inventory/block-device.ts'
export type { Devices } from './inventory/devices.ts'
export type { Mount } from './inventory/mounts.ts'
export { discoverIscsiTargets } from './iscsi/discovery.ts'
export type { DiscoveredPortal, DiscoveredTarget, DiscoveryCredentials, DiscoveryOptions } from './iscsi/discovery.ts'
export { discoverNvmeSubsystems } from './nvme/discovery.ts'
export type { DiscoveryPortal, NvmeDiscoveryOptions } from './nvme/discovery.ts'
export type { DiscoveredSubsystem } from './nvme/log-pages.ts'
export type { CallOptions } from './operation.ts'
export type { DeviceInfo, IdentityInfo, PathInfo } from './properties/device-info.ts'
export type { Association, CodeSet, Designator, DesignatorType } from './scsi/designators.ts'
export type { ScsiIdentity } from './scsi/identity.ts'
export type { StepMessage } from './trace.ts'
export type {
  ControllerChange,
  DeviceChange,
  HostChange,
  IscsiSession,
  MultipathPath,
  NvmeControllerState,
  PathChange,
  SessionChange,
} from './watch/change.ts'
export { LiveInventory, liveInventory } from './watch/live.ts'
export { watch } from './watch/watch.ts'
export type { WatchOptions } from './watch/watch.ts'
