/**
 * `socket instanceof WebSocket` for sockets of ours, and the same of their events. The host's classes are loaded when they
 * are first touched (25 ms), so only then do ours inherit from them: who never touches them pays nothing.
 */
import { CloseEvent, ErrorEvent, MessageEvent } from "./events.ts";
import { ServerWebSocket } from "./socket.ts";

let connected = false;

/** Once: makes the globals adopt ours as soon as a program asks for them. */
export function connectGlobal(): void {
  if (connected) return;
  connected = true;
  adopt("WebSocket", ServerWebSocket.prototype);
  adopt("MessageEvent", MessageEvent.prototype);
  adopt("CloseEvent", CloseEvent.prototype);
  adopt("ErrorEvent", ErrorEvent.prototype);
}

function adopt(name: string, ours: object): void {
  const found = Object.getOwnPropertyDescriptor(globalThis, name);
  if (found === undefined || !found.configurable) return;
  const inherit = (value: unknown): void => {
    if (typeof value !== "function") return;
    const { prototype } = value as { prototype: object };
    // What ours have inherited so far lies behind what they shall inherit.
    if (!Object.prototype.isPrototypeOf.call(ours, prototype)) Object.setPrototypeOf(ours, inheriting(ours, prototype));
  };
  if (found.get === undefined) return inherit(found.value);
  const { get } = found;
  const define = (value: unknown): unknown => {
    Object.defineProperty(globalThis, name, {
      value,
      writable: true,
      enumerable: found.enumerable,
      configurable: true,
    });
    return value;
  };
  Object.defineProperty(globalThis, name, {
    get() {
      const value: unknown = get.call(globalThis);
      inherit(value);
      return define(value);
    },
    set: define,
    enumerable: found.enumerable,
    configurable: true,
  });
}

/** An object with the members that `ours` inherits from classes of ours, in front of the host's prototype. */
function inheriting(ours: object, host: object): object {
  const between: object = Object.create(host);
  const chain: object[] = [];
  for (let one = Object.getPrototypeOf(ours); one !== null && !isHosts(one); one = Object.getPrototypeOf(one)) {
    chain.push(one);
  }
  for (const one of chain.reverse()) {
    for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(one))) {
      if (key !== "constructor") Object.defineProperty(between, key, descriptor);
    }
  }
  return between;
}

function isHosts(prototype: object): boolean {
  return prototype === EventTarget.prototype || prototype === Event.prototype || prototype === Object.prototype;
}
