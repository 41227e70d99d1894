/**
 * Puts our classes in the place of the host's, and in front of `fetch`, so that programs find them under the names
 * they know. Costs nothing at start: undici stays unloaded until somebody fetches.
 */
import { rememberDecoded } from "./decoded.ts";
import { forwardable, Headers } from "./headers.ts";
import { learn, nativeFetch } from "./native.ts";
import { isOwnRequest, type NetworkCall, needsHost, Request, takeForFetch, takeForNetwork } from "./request.ts";
import { isLightResponse, Response } from "./response.ts";
import { takeUser } from "./user.ts";

const CLASSES = { Request, Response, Headers };

/** Our own way to http: and https: servers (src/client); these classes know no sockets. */
export interface Network {
  /** GET, with nothing else to say. */
  get(url: string): Promise<globalThis.Response>;
  send(call: NetworkCall): Promise<globalThis.Response>;
}

let installed = false;
let network: Network | undefined;

/**
 * `Request`, `Response`, `Headers` and `fetch` on globalThis are ours from here on. Calling it again changes nothing.
 * `http` is loaded when the first http: or https: URL is fetched; without it the host's `fetch` goes there as well.
 */
export function install(http?: () => Promise<Network>): void {
  if (http !== undefined) network ??= loadedWhenUsed(http);
  // Not a look at globalThis.Response, which would load the host's.
  if (installed) return;
  installed = true;
  nativeFetch();
  const lazy = hostIsLazy();
  for (const [name, ours] of Object.entries(CLASSES) as [keyof typeof CLASSES, (typeof CLASSES)["Request"]][]) {
    // Reading the property, its descriptor or defining it anew runs the lazy getter; deleting it doesn't.
    if (lazy) Reflect.deleteProperty(globalThis, name);
    else learn(name, ours, globalThis[name]);
    Object.defineProperty(globalThis, name, { value: ours, writable: true, enumerable: false, configurable: true });
  }
  globalThis.fetch = fetch;
  globalThis.structuredClone = guardClone(globalThis.structuredClone);
}

/** True where the host's classes are still to be loaded: Node, as long as undici hasn't left its mark. */
function hostIsLazy(): boolean {
  return process.versions.undici !== undefined && !(Symbol.for("undici.globalDispatcher.1") in globalThis);
}

function loadedWhenUsed(load: () => Promise<Network>): Network {
  let loading: Promise<Network> | undefined;
  const loaded = (): Promise<Network> => {
    loading ??= load().then((there) => (network = there));
    return loading;
  };
  return {
    get: (url) => loaded().then((there) => there.get(url)),
    send: (call) => loaded().then((there) => there.send(call)),
  };
}

/** Goes to http: and https: servers over our own network, and to every other URL by the host's `fetch`. */
export function fetch(
  input: RequestInfo | URL,
  init: RequestInit | undefined = undefined,
): Promise<globalThis.Response> {
  if (network === undefined) return fetchByHost(input, init);
  if (init === undefined && typeof input === "string" && hasScheme(input) && !input.includes("@")) {
    return network.get(input);
  }
  try {
    if (isHttp(input)) return fetchByNetwork(network, input, init);
    return fetchByHost(input, init);
  } catch (error) {
    return Promise.reject(error);
  }
}

function hasScheme(url: string): boolean {
  return url.startsWith("http://") || url.startsWith("https://");
}

function isHttp(input: RequestInfo | URL): boolean {
  if (typeof input === "string") return isHttpScheme(URL.parse(input)?.protocol);
  if (input instanceof URL) return isHttpScheme(input.protocol);
  return typeof input?.url === "string" && /^https?:/.test(input.url);
}

function isHttpScheme(protocol: string | undefined): boolean {
  return protocol === "http:" || protocol === "https:";
}

function fetchByNetwork(
  there: Network,
  input: RequestInfo | URL,
  init: RequestInit | undefined,
): Promise<globalThis.Response> {
  const { url, authorization } = withoutUser(input);
  const request = init === undefined && isOwnRequest(url) ? url : new Request(url, init);
  if (needsHost(request)) return fetchByHost(request, undefined);
  const call = takeForNetwork(request);
  if (authorization !== undefined && !call.fields.includes("authorization")) {
    call.fields.push("authorization", authorization);
  }
  return there.send(call);
}

/** A name and a password in the URL become a header, as in Deno; `new Request` refuses them, as it must. */
function withoutUser(input: RequestInfo | URL): { url: RequestInfo | URL; authorization?: string } {
  if (typeof input === "string" ? !input.includes("@") : !(input instanceof URL)) return { url: input };
  const url = new URL(input as string | URL);
  const authorization = takeUser(url);
  return authorization === undefined ? { url } : { url, authorization };
}

/** The host's `fetch`, which takes Requests and Headers of ours as well. What it answers stays the host's. */
export function fetchByHost(input: RequestInfo | URL, init: RequestInit | undefined): Promise<globalThis.Response> {
  const host = nativeFetch();
  let answer: Promise<globalThis.Response>;
  try {
    const own = takeForFetch(init === undefined ? input : input instanceof Request ? new Request(input, init) : input);
    if (own !== null) answer = host(own.url, own.init);
    else if (init?.headers instanceof Headers) answer = host(input, withPairs(init, init.headers));
    else answer = host(input, init);
  } catch (error) {
    return Promise.reject(error);
  }
  answer.then(noteAnswer).catch(() => {});
  return answer;
}

Object.defineProperty(fetch, "name", { value: "fetch" });

/** A copy of the init (which may be a Request, whose members are getters) with plain headers. */
function withPairs(init: RequestInit, headers: Headers): RequestInit {
  const copy: Record<string, unknown> = {};
  for (const key in init) copy[key] = init[key as keyof RequestInit];
  copy["headers"] = forwardable(headers);
  return copy;
}

/** The first answer tells the host's classes; a compressed one has to be remembered. */
function noteAnswer(response: globalThis.Response): void {
  learn("Response", Response, response.constructor as typeof globalThis.Response);
  learn("Headers", Headers, response.headers.constructor as typeof globalThis.Headers);
  rememberDecoded(response);
}

/**
 * The host's instances can't be cloned, so ours mustn't become empty objects in silence. (Inside of another object
 * they do; marking each instance with `markAsUncloneable` costs 10 ns apiece and 1 ms of start.)
 */
function guardClone(clone: typeof globalThis.structuredClone): typeof globalThis.structuredClone {
  return function structuredClone<T>(value: T, options?: StructuredSerializeOptions): T {
    if (isLightResponse(value) || value instanceof Request || value instanceof Headers) {
      throw new DOMException(`${String(value)} could not be cloned.`, "DataCloneError");
    }
    return clone(value, options);
  };
}
