import { inspect } from 'node:util'

/**
 * An object most of whose properties are getters, which make their values when they are asked for: thousands of such
 * objects cost what is read of them. JSON and `console.log` show them as if they were plain.
 */
export abstract class Lazy {
  toJSON(): Record<string, unknown> {
    const members = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(this) as object))
    const made = members.flatMap(([name, { get }]) => (get === undefined ? [] : [[name, get.call(this) as unknown]]))
    return { ...this, ...(Object.fromEntries(made) as Record<string, unknown>) }
  }

  [inspect.custom](): Record<string, unknown> {
    return this.toJSON()
  }
}
