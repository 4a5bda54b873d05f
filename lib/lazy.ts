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

/** Of a class, the names of its getters: to look for them takes longer than to read them. */
const gettersOf = oncePer((prototype: object): readonly string[] => {
  const members = Object.entries<PropertyDescriptor>(Object.getOwnPropertyDescriptors(prototype))
  return members.filter(([, member]) => member.get !== undefined).map(([name]) => name)
})

/** `make`, called once for each object: what it has made is kept for as long as the object is. */
export function oncePer<Key extends object, Value extends object>(make: (key: Key) => Value): (key: Key) => Value {
  const made = new WeakMap<Key, Value>()
  return (key) => {
    const known = made.get(key)
    if (known) return known
    const value = make(key)
    made.set(key, value)
    return value
  }
}
