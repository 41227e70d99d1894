/** What Web IDL asks of every interface and a JavaScript class doesn't do by itself. */

/** Methods and accessors are enumerable, instances are tagged `[object Name]`, and bundlers don't rename the class. */
export function exposeInterface(subject: { prototype: object }, name: string): void {
  Object.defineProperty(subject, "name", { value: name });
  for (const target of [subject, subject.prototype]) {
    for (const [key, { value, get }] of Object.entries(Object.getOwnPropertyDescriptors(target))) {
      if (key === "constructor" || key === "prototype") continue;
      if (typeof value === "function" || get !== undefined) Object.defineProperty(target, key, { enumerable: true });
    }
  }
  Object.defineProperty(subject.prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/** Too few arguments are a TypeError. */
export function required(given: number, wanted: number, where: string): void {
  if (given >= wanted) return;
  throw new TypeError(`${where}: ${wanted} argument${wanted > 1 ? "s" : ""} required, but ${given} given.`);
}
