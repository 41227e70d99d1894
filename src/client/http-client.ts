/** `Deno.createHttpClient`: settings for some calls of `fetch`, and connections of their own. */
import { readNumber } from "../options/bounds.ts";
import { units } from "../options/limits.ts";
import { BadResource, NotSupported } from "../runtime/errors.ts";
import { type ClientIdentity, clientContext } from "../tls/client-context.ts";
import { type ClientSettings, fetchSettings } from "./settings.ts";

/** Deno's options, and ours for what is waited for: `"5s"`, milliseconds, or `"none"`. */
export interface CreateHttpClientOptions {
  /** Idle connections kept for one host. @default {100} */
  poolMaxIdlePerHost?: number;
  /** How long an idle connection is kept, in milliseconds; false for as long as its server keeps it. */
  poolIdleTimeout?: number | false;
  /** Lets the program set Host. @default {false} */
  allowHost?: boolean;
  /** Another way to every server: a Unix socket, or one address. */
  proxy?: { transport: "unix"; path: string } | { transport: "tcp"; hostname: string; port: number } | { url: string };
  connectTimeout?: number | string;
  headerTimeout?: number | string;
  bodyTimeout?: number | string;
  /** Which of the two are offered to https: servers. @default {true} both */
  http1?: boolean;
  http2?: boolean;
  /** PEM: roots that are trusted beside the usual ones. */
  caCerts?: string[];
  /** PEM: a certificate and its key, for servers that ask who the client is. */
  cert?: string;
  key?: string;
  keyFormat?: "pem";
  localAddress?: string;
}

/** Where connections go, instead of where the URL says. */
export type Way = { readonly path: string } | { readonly hostname: string; readonly port: number };

/** What calls with a client keep to. */
export interface HttpClientSettings {
  readonly settings: () => ClientSettings;
  readonly allowHost: boolean;
  readonly way: Way | undefined;
  /** Whom it trusts, and who it is. */
  readonly identity?: ClientIdentity | undefined;
  /** Offered with https, the best first. */
  readonly alpn?: readonly string[] | undefined;
}

/** Throws when it was closed. */
export let settingsOf: (client: HttpClient) => HttpClientSettings;
/** Called once it is closed. */
export let whenClosed: (client: HttpClient, close: () => void) => void;

const KEY = Symbol("createHttpClient");

export class HttpClient implements Disposable {
  readonly #settings: HttpClientSettings;
  #closed = false;
  #close: () => void = () => {};

  constructor(key: symbol, settings: HttpClientSettings) {
    if (key !== KEY) throw new TypeError("Illegal constructor: use Deno.createHttpClient");
    this.#settings = settings;
  }

  static {
    settingsOf = (client) => {
      if (client.#closed) throw new BadResource("the HTTP client has been closed");
      return client.#settings;
    };
    whenClosed = (client, close) => {
      client.#close = close;
    };
  }

  /** Closes idle connections now, and others when their requests are done. */
  close(): void {
    this.#closed = true;
    this.#close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * A client for `fetch(url, { client })`.
 *
 * ```ts
 * using client = Deno.createHttpClient({ proxy: { transport: "unix", path: "/run/docker.sock" } });
 * const version = await (await fetch("http://localhost/version", { client })).json();
 * ```
 */
export function createHttpClient(options: CreateHttpClientOptions = {}): HttpClient {
  refuseUnsupported(options);
  const own: { -readonly [K in keyof ClientSettings]?: ClientSettings[K] } = {};
  for (const name of ["connectTimeout", "headerTimeout", "bodyTimeout"] as const) {
    if (options[name] !== undefined) own[name] = duration(options[name], name);
  }
  const { poolIdleTimeout, poolMaxIdlePerHost } = options;
  if (poolIdleTimeout === false) own.idleTimeout = Number.POSITIVE_INFINITY;
  else if (poolIdleTimeout !== undefined) own.idleTimeout = duration(poolIdleTimeout, "poolIdleTimeout");
  if (poolMaxIdlePerHost !== undefined) own.maxIdlePerHost = count(poolMaxIdlePerHost);
  return new HttpClient(KEY, {
    settings: () => ({ ...fetchSettings(), ...own }),
    allowHost: options.allowHost === true,
    way: wayOf(options.proxy),
    identity: identityOf(options),
    alpn: alpnOf(options),
  });
}

function alpnOf({ http1 = true, http2 = true }: CreateHttpClientOptions): readonly string[] {
  if (!http1 && !http2) throw new TypeError("Either `http1` or `http2` needs to be true");
  return [...(http2 ? ["h2"] : []), ...(http1 ? ["http/1.1"] : [])];
}

/** What can't be used is said now. */
function identityOf({ caCerts, cert, key }: CreateHttpClientOptions): ClientIdentity | undefined {
  if (caCerts === undefined && cert === undefined && key === undefined) return undefined;
  const identity = { caCerts, cert, key };
  clientContext(identity, "Deno.createHttpClient");
  return identity;
}

function duration(value: number | string, name: string): number {
  return readNumber(value, `${name} of Deno.createHttpClient`, units.duration, {
    min: 1,
    max: 2 ** 31 - 1,
    none: true,
  });
}

function count(value: number): number {
  if (Number.isInteger(value) && value >= 0) return value;
  throw new TypeError(`poolMaxIdlePerHost of Deno.createHttpClient must be a whole number, not ${value}`);
}

function wayOf(proxy: CreateHttpClientOptions["proxy"]): Way | undefined {
  if (proxy === undefined) return undefined;
  if ("path" in proxy && proxy.transport === "unix") return { path: proxy.path };
  if ("port" in proxy && proxy.transport === "tcp") return { hostname: proxy.hostname, port: proxy.port };
  throw new NotSupported(
    "Deno.createHttpClient: a proxy may be a Unix socket or a TCP address; HTTP and SOCKS proxies are not supported yet",
  );
}

function refuseUnsupported(options: CreateHttpClientOptions): void {
  if (options.localAddress !== undefined) {
    throw new NotSupported("Deno.createHttpClient: localAddress is not supported: the system chooses the address");
  }
}
