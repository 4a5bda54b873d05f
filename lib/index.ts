export { capabilities } from './capabilities/capabilities.ts'
export type { Capabilities, Capability } from './capabilities/capabilities.ts'
export type { Missing } from './capabilities/requirements.ts'
export { InitiatorConnector } from './connectors/factory.ts'
export type { FactoryOptions } from './connectors/factory.ts'
export { HuaweiStorHyperConnector } from './connectors/huawei-stor-hyper.ts'
export { ISCSIConnector } from './connectors/iscsi.ts'
export type { ISCSIConnectorOptions } from './connectors/iscsi.ts'
export { LocalConnector } from './connectors/local.ts'
export { NVMeOFConnector } from './connectors/nvmeof.ts'
export type { NVMeOFConnectorOptions } from './connectors/nvmeof.ts'
export type { ConnectOptions, DisconnectOptions, ExtendOptions } from './connectors/initiator-connector.ts'
export { BrickError, errorCodes } from './errors.ts'
export type { BrickErrorOptions, ErrorCode } from './errors.ts'
export { getConnectorProperties } from './host/connector-properties.ts'
export type { ConnectorProperties, ConnectorPropertiesOptions } from './host/connector-properties.ts'
export { Inventory, inventory } from './inventory/inventory.ts'
export type { BlockDevice, DeviceMap, ScsiPlace, Transport } from './inventory/block-device.ts'
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
  DeviceChange,
  HostChange,
  IscsiSession,
  MultipathPath,
  PathChange,
  SessionChange,
} from './watch/change.ts'
export { watch } from './watch/watch.ts'
export type { WatchOptions } from './watch/watch.ts'
