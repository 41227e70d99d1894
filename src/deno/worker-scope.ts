/**
 * What is global in a web worker, and what is not: https://html.spec.whatwg.org/multipage/workers.html, as Deno has it.
 * Put over what every program of ours finds (globals.ts).
 */
import type { MessagePort } from "node:worker_threads";
import { addEventListener, dispatchEvent } from "./global-events.ts";
import { absentMembers } from "./namespace.ts";
import { type Frame, post, workerHost } from "./worker.ts";

/** Deno's workers have no user to ask, and no storage. */
const ABSENT = ["alert", "confirm", "prompt", "localStorage", "sessionStorage", "Location"];

type Handler = (...args: unknown[]) => unknown;

export interface Scope {
  /** The program has run up to what it awaits: it has the listeners by now that messages are for. */
  readonly begun: () => void;
}

export function installScope({ url, name, port }: { url: string; name: string; port: MessagePort }): Scope {
  let closing = false;
  const close = (): void => {
    if (closing) return;
    closing = true;
    port.removeAllListeners("message");
    // What runs now goes on to its end, and nothing else begins.
    queueMicrotask(() => process.exit());
  };
  // The last: Node's own, "global", which hides the class's.
  for (const absent of [...ABSENT, Symbol.toStringTag]) Reflect.deleteProperty(globalThis, absent);
  absentMembers.add("mainModule");
  const [WorkerGlobalScope, DedicatedWorkerGlobalScope, WorkerLocation, WorkerNavigator] = [
    "WorkerGlobalScope",
    "DedicatedWorkerGlobalScope",
    "WorkerLocation",
    "WorkerNavigator",
  ].map(illegal);
  Object.setPrototypeOf(DedicatedWorkerGlobalScope.prototype, WorkerGlobalScope.prototype);
  Object.setPrototypeOf(WorkerGlobalScope.prototype, EventTarget.prototype);
  Object.setPrototypeOf(globalThis, DedicatedWorkerGlobalScope.prototype);
  workerHost.location = url;
  const classes = { WorkerGlobalScope, DedicatedWorkerGlobalScope, WorkerLocation, WorkerNavigator };
  for (const [key, value] of Object.entries(classes)) define(key, value, false);
  define("name", name, true);
  define("location", locationOf(url, WorkerLocation.prototype), true);
  define("close", close, false);
  define("postMessage", postMessage, true);
  Object.setPrototypeOf(Object.getPrototypeOf(navigator), WorkerNavigator.prototype);
  handler("message", (listener, event) => listener(event));
  handler("messageerror", (listener, event) => listener(event));
  // HTML's OnErrorEventHandler: the error's parts, and true for "handled".
  handler("error", (listener, event) => {
    const { message, filename, lineno, colno, error } = event as ErrorEvent;
    if (listener(message, filename, lineno, colno, error) === true) event.preventDefault();
  });
  return {
    begun() {
      port.on("message", (frame: Frame) => {
        if (closing || frame.type !== "message") return;
        dispatchEvent(new MessageEvent("message", { data: frame.data, ports: [...frame.ports] as never }));
      });
      port.on("messageerror", (data: unknown) => dispatchEvent(new MessageEvent("messageerror", { data })));
    },
  };

  function postMessage(...args: readonly unknown[]): void {
    if (args.length === 0) {
      throw new TypeError(
        "Failed to execute 'postMessage' on 'DedicatedWorkerGlobalScope': 1 argument required, but only 0 present",
      );
    }
    if (!closing) post(port, args[0], args[1]);
  }
}

function define(name: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(globalThis, name, { value, writable: true, enumerable, configurable: true });
}

/** `onmessage` and the like, which keeps the place among the listeners that it was given first. */
function handler(type: string, call: (listener: Handler, event: Event) => unknown): void {
  let current: Handler | null = null;
  let listens = false;
  Object.defineProperty(globalThis, `on${type}`, {
    get: () => current,
    set(value: unknown) {
      current = typeof value === "function" ? (value as Handler) : null;
      if (listens || current === null) return;
      listens = true;
      addEventListener(type, (event) => current !== null && call(current.bind(globalThis), event));
    },
    enumerable: true,
    configurable: true,
  });
}

/** A class that nobody constructs. */
function illegal(name: string): { prototype: object } {
  const made = {
    [name]: class {
      constructor() {
        throw new TypeError("Illegal constructor");
      }
    },
  }[name];
  Object.defineProperty(made.prototype, Symbol.toStringTag, { value: name, configurable: true });
  return made as { prototype: object };
}

function locationOf(href: string, prototype: object): object {
  const url = new URL(href);
  const location: object = Object.create(prototype);
  const names = ["href", "origin", "protocol", "host", "hostname", "port", "pathname", "search", "hash"] as const;
  for (const key of names) Object.defineProperty(location, key, { value: url[key], enumerable: true });
  Object.defineProperty(location, "toString", { value: () => url.href });
  return location;
}
