/**
 * `socket instanceof WebSocket`, and the same of events. The host's classes are loaded when a program first touches them,
 * which takes 40 ms and 17 MB; so ours must not. What ours inherit from is a proxy instead: `instanceof` asks it for its
 * prototype, and by then whoever wrote that word has loaded the class.
 */

const UNDICI = "NativeModule internal/deps/undici/undici";

/** Stands in for the prototype of the host's class `name`, or of what that inherits from as long as nobody has touched it. */
export function hostPrototype(name: "WebSocket" | "MessageEvent" | "CloseEvent" | "ErrorEvent", base: object): object {
  let found: object | undefined;
  return new Proxy(Object.create(base) as object, {
    getPrototypeOf() {
      if (found === undefined && loaded()) found = prototypeOf((globalThis as Record<string, unknown>)[name]);
      return found ?? base;
    },
  });
}

function loaded(): boolean {
  const { moduleLoadList } = process as { moduleLoadList?: readonly string[] };
  return moduleLoadList === undefined || moduleLoadList.includes(UNDICI);
}

function prototypeOf(value: unknown): object | undefined {
  return typeof value === "function" ? (value as { prototype: object }).prototype : undefined;
}
