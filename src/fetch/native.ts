/**
 * The host's own Request, Response and Headers, without ever loading them.
 *
 * In Node they are lazy: the first touch of `globalThis.Response` (reading it, or its property descriptor) loads
 * undici, 18–24 ms, more than our whole start. So we don't ask for the classes; we learn them from the instances
 * that turn up, and an instance can exist only where undici has been loaded already. Instances of npm's undici or
 * node-fetch are known by their shape.
 */

export type Kind = "Request" | "Response" | "Headers";

/** What each kind must be able to do for us to treat it as one. */
const MEMBERS: Readonly<Record<Kind, readonly string[]>> = {
  Request: ["clone", "arrayBuffer", "url", "method", "headers"],
  Response: ["clone", "arrayBuffer", "status", "headers"],
  Headers: ["get", "has", "forEach"],
};

/** True for an instance of another implementation: the host's, npm undici's, node-fetch's. */
export function isForeign(x: unknown, kind: Kind): boolean {
  if (typeof x !== "object" || x === null) return false;
  if ((x as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] !== kind) return false;
  for (const member of MEMBERS[kind]) if (!(member in x)) return false;
  return true;
}

type Class = { prototype: object };

const known = new Map<Kind, Class>();

/** The host's class, if it was learned. */
export function nativeClass(kind: Kind): Class | undefined {
  return known.get(kind);
}

/**
 * Makes `ours` a subclass of the host's class as far as `instanceof` sees it, so that code which captured the host's
 * class accepts ours. Ours override every member, since the host's would look for private state.
 */
export function learn(kind: Kind, ours: Class, native: Class): void {
  if (known.has(kind) || native === ours) return;
  known.set(kind, native);
  Object.setPrototypeOf(ours.prototype, native.prototype);
}

let hostFetch: typeof globalThis.fetch | undefined;

/** The host's `fetch`, also after `install()` has put ours in front of it. */
export function nativeFetch(): typeof globalThis.fetch {
  return (hostFetch ??= globalThis.fetch);
}
