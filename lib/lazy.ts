import { inspect } from 'node:util'

/**
 * An object most of whose properties are getters, which make their values when they are asked for: thousands of such
 * objects cost what is read of them. JSON and `console.log` show them as if they were plain.
 */
export abstract class Lazy {
  toJSON(): Record<string, unknown> {
    const shown = Object.fromEntries<unknown>(Object.entries(this))
    const members = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(this) as this)
    for (const [name, member] of Object.entries<PropertyDescriptor>(members)) {
      if (member.get !== undefined) shown[name] = this[name as keyof this]
    }
    return shown
  }

  [inspect.custom](): Record<string, unknown> {
    return this.toJSON()
  }
}
