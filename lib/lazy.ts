import { inspect } from 'node:util'

/**
 * An object most of whose properties are getters, which make their values when they are asked for: thousands of such
 * objects cost what is read of them. JSON and `console.log` show them as if they were plain.
 */
export abstract class Lazy {
  toJSON(): Record<string, unknown> {
    const shown = Object.fromEntries<unknown>(Object.entries(this))
    for (const name of gettersOf(Object.getPrototypeOf(this) as object)) shown[name] = this[name as keyof this]
    return shown
  }

  [inspect.custom](): Record<string, unknown> {
    return this.toJSON()
  }
}

/** Of each class, the names of its getters: to look for them takes longer than to read them. */
const getters = new WeakMap<object, readonly string[]>()

function gettersOf(prototype: object): readonly string[] {
  const known = getters.get(prototype)
  if (known) return known
  const members = Object.entries<PropertyDescriptor>(Object.getOwnPropertyDescriptors(prototype))
  const names = members.filter(([, member]) => member.get !== undefined).map(([name]) => name)
  getters.set(prototype, names)
  return names
}
