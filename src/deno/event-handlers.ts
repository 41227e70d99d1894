/** `onmessage` and the like: a listener whose place among others is that of the first that was set (HTML, event handlers). */

type Handler = (event: Event) => unknown;

/** An accessor pair for each type on a class of event targets. */
export function defineHandlers(prototype: EventTarget, types: readonly string[]): void {
  const all = new WeakMap<EventTarget, Map<string, Handler | null>>();
  for (const type of types) {
    Object.defineProperty(prototype, `on${type}`, {
      get(this: EventTarget) {
        return all.get(this)?.get(type) ?? null;
      },
      set(this: EventTarget, value: unknown) {
        let handlers = all.get(this);
        if (handlers === undefined) all.set(this, (handlers = new Map()));
        const handler = typeof value === "function" ? (value as Handler) : null;
        const known = handlers;
        if (!known.has(type)) this.addEventListener(type, (event) => known.get(type)?.call(this, event));
        known.set(type, handler);
      },
      enumerable: true,
      configurable: true,
    });
  }
}
