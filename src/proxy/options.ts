/** A proxy's upstreams and options, read and checked. */
import { type Target, targetOf } from "../client/target.ts";
import { type Bounds, OptionError, readNumber } from "../options/bounds.ts";
import { units } from "../options/limits.ts";

/** Where requests are passed on to, and how. Durations are `"5s"`, milliseconds, or `"none"`. */
export interface ReverseProxyOptions {
  /** Which upstream is next: each in turn, or the one with the fewest open requests. @default {"round-robin"} */
  balance?: "round-robin" | "least-requests";
  /** What Host says there: what the client said, the upstream's own name, or this. @default {"pass"} */
  host?: "pass" | "upstream" | (string & {});
  /** Adds `X-Forwarded-For`, `-Proto` and `-Host` to `Forwarded`, for upstreams that know only those. @default {false} */
  xForwarded?: boolean;
  /** How Via names this proxy, and knows it again; letters, digits, `-`, `.` and `_`. */
  name?: string;
  /** PEM: roots that https upstreams' certificates may lead to, beside the usual ones. */
  caCerts?: readonly string[];
  /** PEM: a certificate and its key, for https upstreams that ask who the proxy is. */
  cert?: string;
  key?: string;
  /** How long a connection to an upstream may take. @default {"5s"} */
  connectTimeout?: number | string;
  /** From the request's last byte to the answer's head; then 504. @default {"25s"} */
  headerTimeout?: number | string;
  /** How long a body may stand still, in either direction; not of event streams. @default {"30s"} */
  bodyTimeout?: number | string;
  /** How long an idle connection is kept, and how many to one upstream. @default {"30s", 100} */
  idleTimeout?: number | string;
  maxIdle?: number;
  /** How long a WebSocket may be silent in both directions. @default {"10m"} */
  tunnelTimeout?: number | string;
  /** Upstreams that a request is tried at, where that is safe: 1 is none but the first. @default {3} */
  tries?: number;
  /** Failures one after the other that put an upstream out. @default {1} */
  maxFails?: number;
  /** For how long; then one request finds out whether it is back. @default {"10s"} */
  failTimeout?: number | string;
  /** A path that is asked of each upstream, now and then: 2xx and 3xx are well. Without it, only requests tell. */
  healthPath?: string;
  /** How often. @default {"5s"} */
  healthInterval?: number | string;
  /** How long an answer may take. @default {"2s"} */
  healthTimeout?: number | string;
}

/** One upstream: where, and by which way. */
export interface UpstreamAddress {
  /** As people know it. */
  readonly name: string;
  /** The target of "/" there. */
  readonly target: Target;
  /** Of a Unix socket. */
  readonly path: string | undefined;
}

/** Whom https upstreams are trusted by, and who the proxy is to them. */
export interface UpstreamIdentity {
  readonly caCerts: readonly string[];
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface ProxySettings {
  readonly upstreams: readonly UpstreamAddress[];
  readonly leastRequests: boolean;
  /** Undefined: the client's. */
  readonly host: string | undefined;
  readonly hostOfUpstream: boolean;
  readonly xForwarded: boolean;
  readonly name: string;
  readonly identity: UpstreamIdentity;
  readonly connectTimeout: number;
  readonly headerTimeout: number;
  readonly bodyTimeout: number;
  readonly idleTimeout: number;
  readonly maxIdle: number;
  readonly tunnelTimeout: number;
  readonly tries: number;
  readonly maxFails: number;
  readonly failTimeout: number;
  readonly healthPath: string | undefined;
  readonly healthInterval: number;
  readonly healthTimeout: number;
}

const DURATION: Bounds = { min: 1, max: 2 ** 31 - 1, none: true };
const KNOWN: ReadonlySet<string> = new Set([
  ...[
    ...["caCerts", "cert", "key"],
    "balance",
    "host",
    "xForwarded",
    "name",
    "connectTimeout",
    "headerTimeout",
    "bodyTimeout",
    "idleTimeout",
    "maxIdle",
  ],
  ...["tunnelTimeout", "tries", "maxFails", "failTimeout", "healthPath", "healthInterval", "healthTimeout"],
]);

export function readProxySettings(
  upstreams: string | URL | readonly (string | URL)[],
  options: ReverseProxyOptions,
): ProxySettings {
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) throw new TypeError(`proxy: '${name}' is no option: it takes ${[...KNOWN].join(", ")}`);
  }
  const list = (Array.isArray(upstreams) ? upstreams : [upstreams]).map((one) => readUpstream(String(one)));
  if (list.length === 0) throw new TypeError('proxy needs an upstream, for example "http://127.0.0.1:3000"');
  const { balance = "round-robin", host = "pass", xForwarded = false, healthPath } = options;
  if (balance !== "round-robin" && balance !== "least-requests") {
    throw new TypeError('balance of proxy must be "round-robin" or "least-requests"');
  }
  if (typeof host !== "string" || !/^(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(host)) {
    throw new TypeError('host of proxy must be "pass", "upstream", or what Host is to say');
  }
  if (typeof xForwarded !== "boolean") throw new TypeError("xForwarded of proxy must be true or false");
  if (healthPath !== undefined && !/^\/[\x21-\x7e]*$/.test(String(healthPath))) {
    throw new TypeError("healthPath of proxy must be a path that begins with a slash");
  }
  const named = list.map(({ name }) => name).join(" ");
  return {
    upstreams: list,
    leastRequests: balance === "least-requests",
    host: host === "pass" || host === "upstream" ? undefined : host,
    hostOfUpstream: host === "upstream",
    xForwarded,
    name: readName(options.name, named),
    identity: readIdentity(options),
    connectTimeout: duration(options.connectTimeout, "connectTimeout", 5_000),
    headerTimeout: duration(options.headerTimeout, "headerTimeout", 25_000),
    bodyTimeout: duration(options.bodyTimeout, "bodyTimeout", 30_000),
    idleTimeout: duration(options.idleTimeout, "idleTimeout", 30_000),
    maxIdle: count(options.maxIdle, "maxIdle", 100, 0),
    tunnelTimeout: duration(options.tunnelTimeout, "tunnelTimeout", 600_000),
    tries: count(options.tries, "tries", 3, 1),
    maxFails: count(options.maxFails, "maxFails", 1, 1),
    failTimeout: duration(options.failTimeout, "failTimeout", 10_000),
    healthPath,
    healthInterval: duration(options.healthInterval, "healthInterval", 5_000),
    healthTimeout: duration(options.healthTimeout, "healthTimeout", 2_000),
  };
}

function readUpstream(text: string): UpstreamAddress {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path === "") throw new TypeError('proxy: "unix:" needs a path, for example "unix:/run/app.sock"');
    return { name: text, target: targetOf("http://localhost/"), path };
  }
  const url = URL.parse(text);
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.pathname !== "/" ||
    url.search !== "" ||
    url.username !== ""
  ) {
    throw new TypeError(
      `proxy: ${JSON.stringify(text)} is no upstream: write http://host:port or unix:/path; paths of requests are passed on as they are`,
    );
  }
  let target: Target;
  try {
    target = targetOf(url.href);
  } catch (cause) {
    if (url.protocol === "https:") {
      throw new TypeError(`proxy: ${text} can't be an upstream: https upstreams are not supported yet`, { cause });
    }
    throw new TypeError(`proxy: ${text} can't be an upstream: ${(cause as Error).message}`, { cause });
  }
  return { name: url.origin, target, path: undefined };
}

/** RFC 9110, 7.6.3: a pseudonym. The same for all threads of a process, and another one for each other proxy. */
function readName(name: string | undefined, upstreams: string): string {
  if (name === undefined) {
    const { createHash } = process.getBuiltinModule("node:crypto");
    const { hostname } = process.getBuiltinModule("node:os");
    const hash = createHash("sha256").update(`${hostname()} ${process.pid} ${upstreams}`).digest("hex");
    return `slipway-${hash.slice(0, 10)}`;
  }
  if (typeof name === "string" && /^[\w.-]{1,64}$/.test(name)) return name;
  throw new TypeError("name of proxy must be 1 to 64 letters, digits, '-', '.' or '_'");
}

function readIdentity({ caCerts = [], cert, key }: ReverseProxyOptions): UpstreamIdentity {
  if (!Array.isArray(caCerts) || caCerts.some((one) => typeof one !== "string")) {
    throw new TypeError("caCerts of proxy must be a list of certificates in PEM format");
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError(`proxy: a certificate needs its key; ${cert === undefined ? "cert" : "key"} is missing`);
  }
  return { caCerts, cert, key };
}

function duration(value: number | string | undefined, name: string, usual: number): number {
  return value === undefined ? usual : readNumber(value, `${name} of proxy`, units.duration, DURATION);
}

function count(value: number | undefined, name: string, usual: number, least: number): number {
  if (value === undefined) return usual;
  if (Number.isInteger(value) && value >= least) return value;
  throw new OptionError(`${name} of proxy must be a whole number from ${least} on, not ${value}`);
}
