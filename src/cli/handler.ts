/**
 * What a program offers: the shapes of a module's default export.
 *
 *     export default { fetch(request, info) { … } }      an HTTP server
 *     export default { connect(conn) { … } }             a task per TCP connection
 *     export default (request) => new Response(…)        the first, in short
 *     (no default export)                                a plain program, which listens on its own
 *
 * Whatever else it finds it answers with one sentence that says what was there and what to write instead.
 */
import type { ErrorHandler, LimitsHook, ServeHandlerInfo } from "../http/mod.ts";
import type { Conn } from "../net/mod.ts";
import { isPlain } from "../options/resolve.ts";
import { Failure } from "./errors.ts";

export type FetchHandler = (request: Request, info: ServeHandlerInfo) => Response | Promise<Response>;
/** `signal` is aborted when the server shuts down. */
export type ConnectHandler = (conn: Conn, signal: AbortSignal) => void | Promise<void>;

export type Offer =
  | { readonly kind: "fetch"; readonly handler: FetchHandler; readonly options: Readonly<Record<string, unknown>> }
  | { readonly kind: "connect"; readonly handler: ConnectHandler; readonly options: Readonly<Record<string, unknown>> }
  | { readonly kind: "program"; readonly exports: readonly string[] };

const ARROW = /^(?:async\b\s*)?(?:\([^()]*\)|[\w$]+)\s*=>/;
const write = "export default { fetch(request) { return new Response(…) } }";

/** Reads a module's exports; `file` is how messages name the module. */
export function readOffer(namespace: Readonly<Record<string, unknown>>, file: string): Offer {
  const exported = namespace.default;
  if (!("default" in namespace)) return { kind: "program", exports: Object.keys(namespace) };
  if (isNodeApp(exported)) return { kind: "program", exports: [] };
  if (typeof exported === "function" && !hasHandler(exported)) {
    if (/^class\b/.test(Function.prototype.toString.call(exported))) {
      throw new Failure(`${file} exports the class ${exported.name} as default: export an instance of it instead`);
    }
    return { kind: "fetch", handler: exported as FetchHandler, options: {} };
  }
  if ((typeof exported !== "object" && typeof exported !== "function") || exported === null) {
    throw new Failure(`${file} exports ${describe(exported)} as default: write ${write}`);
  }
  if (exported instanceof Promise) {
    throw new Failure(`${file} exports a promise as default: write export default await …`);
  }
  const options = exported as Readonly<Record<string, unknown>>;
  const { fetch, connect } = options;
  if (fetch === undefined && connect === undefined) {
    throw new Failure(`${file}: the default export has neither fetch nor connect (${keysOf(options)}): write ${write}`);
  }
  // A framework's app (h3) may inherit a connect: its route for HTTP's method of that name.
  if (fetch !== undefined && connect !== undefined && Object.hasOwn(options, "connect")) {
    throw new Failure(`${file}: the default export has both fetch (HTTP) and connect (raw TCP): keep one of them`);
  }
  for (const [key, value] of Object.entries({ fetch, connect })) {
    if (value !== undefined && typeof value !== "function") {
      throw new Failure(`${file}: '${key}' of the default export must be a function, not ${describe(value)}`);
    }
  }
  // Bound, because frameworks export objects whose fetch is a method that needs its `this`. An arrow function has none;
  // left as it is, the server sees whether it takes a request at all (0.25 µs of 0.9 where it does not).
  return typeof fetch === "function"
    ? { kind: "fetch", handler: ARROW.test(String(fetch)) ? (fetch as FetchHandler) : fetch.bind(exported), options }
    : { kind: "connect", handler: (connect as ConnectHandler).bind(exported), options };
}

export interface Hooks {
  readonly onError?: ErrorHandler;
  readonly limits?: LimitsHook;
  /** Whether the server is ready for traffic; src/admin/ready.ts reads it. */
  readonly ready?: unknown;
}

/** What may stand beside the handler. Only a plain object's: Hono's app has an onError that registers one. */
export function readHooks(options: Readonly<Record<string, unknown>>, file: string): Hooks {
  if (!isPlain(options)) return {};
  const { onError, limits, ready } = options;
  for (const [key, value] of Object.entries({ onError, limits })) mustBeFunction(key, value, file);
  return { onError, limits, ready } as Hooks;
}

function mustBeFunction(key: string, value: unknown, file: string): void {
  if (value === undefined || typeof value === "function") return;
  throw new Failure(`${file}: '${key}' of the default export must be a function, not ${describe(value)}`);
}

/** The sentence for a module without a default export that also listens on nothing. */
export function nothingServed(exports: readonly string[], file: string): Failure {
  if (exports.length === 0) return new Failure(`${file} exports nothing and listens on nothing: write ${write}`);
  const names = exports.map((name) => `'${name}'`).join(", ");
  const likely = exports.find((name) => /^(fetch|handler?|handle|serve|server|app|GET)$/.test(name));
  const instead = likely === undefined ? write : `export default ${likely === "app" ? "app" : `{ fetch: ${likely} }`}`;
  return new Failure(`${file} has no default export, it exports ${names}: write ${instead}`);
}

/**
 * An application for node:http (Express, Connect), exported for its tests: it serves when its `listen` is called. It
 * is a function, and Express gives it a `connect` that is a route's.
 */
function isNodeApp(exported: unknown): boolean {
  if (typeof exported !== "function") return false;
  const { fetch, handle, listen } = exported as { fetch?: unknown; handle?: unknown; listen?: unknown };
  return fetch === undefined && typeof handle === "function" && typeof listen === "function";
}

function hasHandler(exported: unknown): boolean {
  const { fetch, connect } = exported as { fetch?: unknown; connect?: unknown };
  return typeof fetch === "function" || typeof connect === "function";
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string")
    return `the string ${JSON.stringify(value.length > 30 ? `${value.slice(0, 30)}…` : value)}`;
  if (typeof value === "object") return Array.isArray(value) ? "an array" : "an object";
  return `the ${typeof value} ${String(value)}`;
}

function keysOf(options: Readonly<Record<string, unknown>>): string {
  const keys = Object.keys(options);
  if (keys.length === 0) return "it is empty";
  return `it has ${keys.slice(0, 8).join(", ")}${keys.length > 8 ? ", …" : ""}`;
}
