import { invalid } from '../errors.ts'
import { Secret } from './secret.ts'

// Readers for untrusted plain JSON. Python's None and the empty string count as absent, as they do for os-brick.
// Every function throws BrickError INVALID_ARGUMENT, naming the key.

/** Connection properties as they came, never to be changed. */
export type Properties = Readonly<Record<string, unknown>>

/** Accepts `{ driver_volume_type, data: {…} }` and the flat form that Cinder's attachment API hands out. */
export function connectionData(value: unknown): Properties {
  // The value is not shown: there are passwords in it.
  if (!isObject(value)) throw invalid('connection properties', 'an object', typeof value)
  return isObject(value['data']) ? value['data'] : value
}

export function isPresent(data: Properties, key: string): boolean {
  return data[key] !== undefined && data[key] !== null && data[key] !== ''
}

export function requiredString(data: Properties, key: string): string {
  const value = data[key]
  if (!isText(value)) throw invalid(key, 'a text', value)
  return value
}

/** One line: what other programs' files and command lines can hold as it is. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !/\p{Cc}/u.test(value)
}

export function optionalString(data: Properties, key: string): string | undefined {
  return isPresent(data, key) ? requiredString(data, key) : undefined
}

/** Like `requiredString`, for a value that must not be shown. */
export function requiredSecret(data: Properties, key: string): Secret {
  const value = data[key]
  if (!isText(value)) {
    throw invalid(key, 'a text', isPresent(data, key) ? `[a secret ${typeof value}]` : value)
  }
  return new Secret(value)
}

/** A boolean, 0 or 1, or one of the words that OpenStack's configuration takes, in any case. */
export function optionalBoolean(data: Properties, key: string): boolean | undefined {
  if (!isPresent(data, key)) return undefined
  const value = data[key]
  if (['boolean', 'number', 'string'].includes(typeof value)) {
    if (/^(?:true|t|yes|y|on|1)$/i.test(String(value))) return true
    if (/^(?:false|f|no|n|off|0)$/i.test(String(value))) return false
  }
  throw invalid(key, 'true or false', value)
}

/** A whole number, `least` or above and `most` or below, or its decimal text. */
export function optionalInteger(
  data: Properties,
  key: string,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (!isPresent(data, key)) return undefined
  const value = data[key]
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= least && number <= most) return number
  const limits = [least === 0 ? '' : ` from ${least}`, most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`]
  throw invalid(key, `a whole number${limits.join('')}`, value)
}

/** An absent list is empty. */
export function list(data: Properties, key: string): readonly unknown[] {
  if (!isPresent(data, key)) return []
  const value = data[key]
  if (!Array.isArray(value)) throw invalid(key, 'a list', value)
  return value
}

export function stringList(data: Properties, key: string): string[] {
  return list(data, key).map((item, index) => {
    if (typeof item !== 'string' || item === '') throw invalid(`${key}[${index}]`, 'a text', item)
    return item
  })
}

export function isObject(value: unknown): value is Properties {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without the keys whose value is undefined. */
export function present<T extends object>(values: T): Present<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>
}
