/**
 * The second argument of `new Request` and `fetch` (https://fetch.spec.whatwg.org/#requestinit): every member
 * checked and converted. A server's handlers hardly use it; its proxies do.
 */
import { byteString, isToken } from "./header-syntax.ts";

/** What a Request says of itself besides method, URL, headers and body. */
export interface RequestOptions {
  readonly cache: RequestCache;
  readonly credentials: RequestCredentials;
  readonly integrity: string;
  readonly keepalive: boolean;
  readonly mode: RequestMode;
  readonly redirect: RequestRedirect;
  readonly referrer: string;
  readonly referrerPolicy: ReferrerPolicy;
  /** Not of the standard: undici's agent, handed through to the host's fetch. */
  readonly dispatcher?: unknown;
  /** Not of the standard: what `Deno.createHttpClient` has made. */
  readonly client?: unknown;
}

export const DEFAULT_OPTIONS: RequestOptions = {
  cache: "default",
  credentials: "same-origin",
  integrity: "",
  keepalive: false,
  mode: "cors",
  redirect: "follow",
  referrer: "about:client",
  referrerPolicy: "",
};

/** The members that were given, converted; absent ones undefined. */
export interface ConvertedInit extends Partial<RequestOptions> {
  readonly body?: unknown;
  readonly duplex?: string;
  readonly headers?: unknown;
  readonly method?: string;
  readonly signal?: AbortSignal | null;
}

const REFERRER_POLICIES = [
  "",
  "no-referrer",
  "no-referrer-when-downgrade",
  "same-origin",
  "origin",
  "strict-origin",
  "origin-when-cross-origin",
  "strict-origin-when-cross-origin",
  "unsafe-url",
];
const MODES = ["navigate", "same-origin", "no-cors", "cors"];
const CREDENTIALS = ["omit", "same-origin", "include"];
const CACHES = ["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"];
const REDIRECTS = ["follow", "manual", "error"];

/** Web IDL's conversion to RequestInit, members in its (alphabetical) order; null where nothing was given. */
export function convertInit(input: unknown): ConvertedInit | null {
  if (input === undefined || input === null) return null;
  if (typeof input !== "object" && typeof input !== "function") throw new TypeError("Request: init is not an object.");
  const init = input as Record<string, unknown>;
  const converted: Record<string, unknown> = {};
  let given = false;
  const take = (member: string, convert: (value: unknown) => unknown): void => {
    const value = init[member];
    if (value === undefined) return;
    given = true;
    converted[member] = convert(value);
  };
  take("body", asIs);
  take("cache", oneOf("cache", CACHES));
  take("client", asIs);
  take("credentials", oneOf("credentials", CREDENTIALS));
  take("dispatcher", asIs);
  take("duplex", oneOf("duplex", ["half"]));
  take("headers", asIs);
  take("integrity", domString);
  take("keepalive", Boolean);
  take("method", byteString);
  take("mode", oneOf("mode", MODES));
  take("priority", oneOf("priority", ["high", "low", "auto"]));
  take("redirect", oneOf("redirect", REDIRECTS));
  take("referrer", (value) => String(value).toWellFormed());
  take("referrerPolicy", oneOf("referrerPolicy", REFERRER_POLICIES));
  take("signal", checkSignal);
  take("window", checkWindow);
  return given ? (converted as ConvertedInit) : null;
}

function asIs(value: unknown): unknown {
  return value;
}

function domString(value: unknown): string {
  if (typeof value === "symbol") throw new TypeError("Request: a symbol cannot be converted to a string.");
  return String(value);
}

function oneOf(member: string, allowed: readonly string[]): (value: unknown) => string {
  return (value) => {
    const string = domString(value);
    if (allowed.includes(string)) return string;
    throw new TypeError(`Request: ${member} can't be "${string}"; expected one of ${allowed.join(", ")}.`);
  };
}

function checkSignal(value: unknown): AbortSignal | null {
  if (value === null || value instanceof AbortSignal) return value;
  throw new TypeError("Request: signal is not an AbortSignal.");
}

function checkWindow(value: unknown): null {
  if (value === null) return value;
  throw new TypeError("Request: window can only be null.");
}

/** The options of a new Request: those of the request that it is made from, under those that were given. */
export function mergeOptions(base: RequestOptions, init: ConvertedInit | null, fromUrl: boolean): RequestOptions {
  if (init === null) return base;
  const mode = init.mode ?? (fromUrl ? "cors" : base.mode);
  const cache = init.cache ?? base.cache;
  if (mode === "navigate") throw new TypeError('Request: mode can\'t be "navigate".');
  if (cache === "only-if-cached" && mode !== "same-origin") {
    throw new TypeError('Request: cache "only-if-cached" needs mode "same-origin".');
  }
  return {
    cache,
    credentials: init.credentials ?? base.credentials,
    integrity: init.integrity ?? base.integrity,
    keepalive: init.keepalive ?? base.keepalive,
    mode,
    redirect: init.redirect ?? base.redirect,
    // Any init at all takes the old request's referrer away.
    referrer: init.referrer === undefined ? "about:client" : checkReferrer(init.referrer),
    referrerPolicy: init.referrerPolicy ?? "",
    dispatcher: init.dispatcher ?? base.dispatcher,
    client: init.client ?? base.client,
  };
}

/** The options of another implementation's request; what it doesn't know is the default. */
export function optionsOf(request: RequestOptions): RequestOptions {
  const { cache, credentials, integrity, keepalive, mode, redirect, referrer, referrerPolicy } = request;
  const given = { cache, credentials, integrity, keepalive, mode, redirect, referrer, referrerPolicy };
  return Object.assign(
    { ...DEFAULT_OPTIONS },
    Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined)),
  );
}

function checkReferrer(referrer: string): string {
  if (referrer === "") return "";
  const url = URL.parse(referrer);
  if (url === null) throw new TypeError(`Request: referrer "${referrer}" is not a valid URL.`);
  return url.protocol === "about:" && url.pathname === "client" ? "about:client" : url.href;
}

/** A method as the standard normalises it; a TypeError for what is no token or forbidden. */
export function checkMethod(method: string): string {
  if (method === "GET" || method === "POST") return method;
  if (!isToken(method)) throw new TypeError(`Request: "${method}" is not a valid HTTP method.`);
  const upper = method.toUpperCase();
  switch (upper) {
    case "CONNECT":
    case "TRACE":
    case "TRACK":
      throw new TypeError(`Request: the HTTP method ${method} is forbidden.`);
    case "DELETE":
    case "GET":
    case "HEAD":
    case "OPTIONS":
    case "POST":
    case "PUT":
      return upper;
    default:
      return method;
  }
}
