/** What Web IDL asks of every interface and a JavaScript class doesn't do by itself. */

/** Methods and accessors are enumerable, and instances are tagged `[object Name]`. */
export function makeEnumerable(prototype: object, name: string): void {
  for (const key of Object.getOwnPropertyNames(prototype)) {
    if (key !== "constructor") Object.defineProperty(prototype, key, { enumerable: true });
  }
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/** Too few arguments are a TypeError. */
export function required(given: number, wanted: number, where: string): void {
  if (given >= wanted) return;
  throw new TypeError(`${where}: ${wanted} argument${wanted > 1 ? "s" : ""} required, but ${given} given.`);
}
