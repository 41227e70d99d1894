/** What Deno has on the global scope beside `Deno`, and Node has not, or has otherwise. docs/deno.md has a row for each. */
import manifest from "../../package.json" with { type: "json" };
import { Cache, CacheStorage, cacheStorage } from "./cache.ts";
import { EventSource } from "./event-source.ts";
import * as events from "./global-events.ts";
import { FOLLOWED } from "./program.ts";
import * as prompts from "./prompts.ts";
import { localStorage, Storage, sessionStorage } from "./storage.ts";
import { Worker } from "./worker.ts";

const EVENTS = ["load", "beforeunload", "unload", "error", "unhandledrejection"];

/** Before the program's first line runs. What costs anything is made when it is first touched. */
export function installGlobals(): void {
  const properties: PropertyDescriptorMap = {};
  const { addEventListener, removeEventListener, dispatchEvent, PromiseRejectionEvent } = events;
  const hidden = {
    Worker,
    EventSource,
    Cache,
    CacheStorage,
    Storage,
    addEventListener,
    removeEventListener,
    dispatchEvent,
    PromiseRejectionEvent,
  };
  for (const [name, value] of Object.entries(hidden)) properties[name] = property(value, false);
  const { reportError } = events;
  const shown = { self: globalThis, name: "", location: undefined, ...prompts, reportError, close };
  for (const [name, value] of Object.entries(shown)) properties[name] = property(value, true);
  for (const type of EVENTS) {
    properties[`on${type}`] = {
      get: () => events.handlerOf(type),
      set: (handler) => events.setHandler(type, handler),
      enumerable: true,
      configurable: true,
    };
  }
  properties["closed"] = { get: () => closing, enumerable: true, configurable: true };
  properties["caches"] = lazy("caches", cacheStorage);
  // As in Deno they may be assigned to, and nothing comes of it.
  const storages = { localStorage, sessionStorage };
  for (const [name, get] of Object.entries(storages)) {
    properties[name] = { get, set() {}, enumerable: true, configurable: true };
  }
  const host = Object.getOwnPropertyDescriptor(globalThis, "navigator")?.get;
  if (host !== undefined) properties["navigator"] = lazy("navigator", () => denoNavigator(host.call(globalThis)));
  // The host makes its own when that is first touched, and to put another in its place is to touch it.
  Reflect.deleteProperty(globalThis, "Storage");
  Object.defineProperties(globalThis, properties);
}

let closing = false;

/** Ends the program, once what runs at this moment has run. */
function close(): void {
  if (closing) return;
  closing = true;
  setTimeout(() => process.exit(), 0);
}

/** Frameworks know by its first word where they are: Hono, for one. */
function denoNavigator(navigator: Navigator): Navigator {
  const get = () => `Deno/${FOLLOWED} Slipway/${manifest.version}`;
  const prototype: object = Object.getPrototypeOf(navigator);
  Object.defineProperty(prototype, "userAgent", { get, enumerable: true, configurable: true });
  return navigator;
}

function property(value: unknown, enumerable: boolean): PropertyDescriptor {
  return { value, writable: true, enumerable, configurable: true };
}

function lazy(name: string, make: () => unknown): PropertyDescriptor {
  const define = (value: unknown): unknown => {
    Object.defineProperty(globalThis, name, property(value, true));
    return value;
  };
  return { get: () => define(make()), set: define, enumerable: true, configurable: true };
}
