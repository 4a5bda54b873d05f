/**
 * What a program may rely on when it is compiled. Nothing here is run: lint compiles it with lib/, and the tests of the package
 * with the types that are packed.
 */
import {
  audit,
  BrickError,
  capabilities,
  discoverIscsiTargets,
  errorCodes,
  getConnectorProperties,
  InitiatorConnector,
  inventory,
  ISCSIConnector,
  liveInventory,
  LocalConnector,
  NVMeOFConnector,
  watch,
} from 'hostbrick'
import type {
  BlockDevice,
  CallOptions,
  ConnectOptions,
  DeviceInfo,
  ErrorCode,
  Finding,
  HostChange,
  ISCSIConnectorOptions,
  LiveInventory,
  StepMessage,
  Transport,
} from 'hostbrick'

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false
type All<Checks extends true[]> = Checks

// Every connector is one of the same kind, made by name or by class.
;[new ISCSIConnector(), new NVMeOFConnector(), new LocalConnector()] satisfies InitiatorConnector[]
export type Connectors = All<
  [
    Same<ReturnType<typeof InitiatorConnector.factory>, InitiatorConnector>,
    Same<Parameters<InitiatorConnector['connectVolume']>, [properties: unknown, options?: ConnectOptions | undefined]>,
    Same<ReturnType<InitiatorConnector['connectVolume']>, Promise<DeviceInfo>>,
    Same<ReturnType<InitiatorConnector['disconnectVolume']>, Promise<void>>,
    Same<ReturnType<InitiatorConnector['extendVolume']>, Promise<number>>,
    Same<ReturnType<InitiatorConnector['getVolumePaths']>, Promise<string[]>>,
  ]
>

// Options may be left out one by one, or be there without a value.
;({ useMultipath: undefined, transport: 'iser' }) satisfies ISCSIConnectorOptions
;({ signal: undefined, timeout: 30_000, ready: 'all' }) satisfies ConnectOptions
;({ signal: AbortSignal.timeout(1) }) satisfies CallOptions
// @ts-expect-error: it is either or
;({ ready: 'some' }) satisfies ConnectOptions
// @ts-expect-error: misspelt
new ISCSIConnector({ multipath: true })
// @ts-expect-error: a number of milliseconds
await inventory({ timeout: '30s' })
// @ts-expect-error: the host's address is asked for
await getConnectorProperties({})

// What an attach returns is plain JSON.
export type Device = All<
  [Same<DeviceInfo['path'], string>, Same<DeviceInfo['size'], number>, Same<DeviceInfo['degraded'], boolean>]
>

// A failure's code is one of a list, each with what is known of it.
export type Failures = All<
  [
    Same<ErrorCode, keyof typeof errorCodes>,
    Same<BrickError['code'], ErrorCode>,
    Same<BrickError['step'], string | undefined>,
  ]
>
errorCodes satisfies Record<ErrorCode, { meaning: string; retryable: boolean; csi: string }>
new BrickError('BUSY', 'x') satisfies Error
// @ts-expect-error: no such code
new BrickError('BROKEN', 'x')

// Looks at the host.
const host = await inventory()
host.devices satisfies readonly BlockDevice[]
export type Looks = All<
  [
    Same<BlockDevice['transport'], Transport>,
    Same<Awaited<ReturnType<typeof audit>>, Finding[]>,
    Same<Awaited<ReturnType<typeof discoverIscsiTargets>>[number]['iqn'], string>,
  ]
>
;(await capabilities()).nvmeTcp.works satisfies boolean
// @ts-expect-error: what is there is only to be read
;(({}) as BlockDevice).size = 1

using live: LiveInventory = await liveInventory()
export type LiveLookups = All<[Same<ReturnType<typeof live.byWwid.get>, readonly BlockDevice[] | undefined>]>

// Changes are told apart by their kind.
const changes = watch()
await changes.begun
for await (const change of changes) {
  change satisfies HostChange
  if (change.kind === 'path') change.map.name satisfies string
  // @ts-expect-error: only paths have a map
  if (change.kind === 'session') change.map satisfies object
}

export type Steps = All<[Same<StepMessage['milliseconds'], number>]>
