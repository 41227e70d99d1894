/**
 * Every option, once: flags, environment, fields of the default export, `Deno.serve` options, help, validation and
 * docs/limits.md come from here. Plain data, since a compiled server reads it at every start.
 *
 * `readTimeout` is the field, `--read-timeout` the flag, `SLIPWAY_READ_TIMEOUT` the variable. A flag beats the
 * environment, which beats the file, which beats the default.
 */
import type { Bounds } from "./bounds.ts";

export type Group =
  | "address"
  | "protocols"
  | "limits"
  | "drain"
  | "admin"
  | "logs"
  | "tls"
  | "proxy"
  | "websocket"
  | "fetch"
  | "tasks"
  | "threads";

interface Common {
  readonly name: string;
  readonly group: Group;
  /** The flag's name where it is not the field's in kebab-case. */
  readonly flag?: string;
  readonly short?: string;
  /** What it is, in words that fit behind the flag. */
  readonly says: string;
  /** Page and heading in docs/. */
  readonly section: string;
}

/** Milliseconds, bytes, bytes a second, counts. */
export interface NumberOption extends Common {
  readonly kind: "duration" | "size" | "rate" | "count" | "port";
  readonly default: number;
  readonly bounds: Bounds;
}
export interface FlagOption extends Common {
  readonly kind: "flag";
  readonly default: false;
}
export interface TextOption extends Common {
  readonly kind: "text";
  readonly default: string | undefined;
  /** What stands for the value in help; and in words, for an empty one. */
  readonly value: string;
  readonly wants: string;
  /** Another name of the field. */
  readonly alias?: string;
}
export interface ChoiceOption extends Common {
  readonly kind: "choice";
  readonly default: string;
  readonly choices: readonly string[];
}
/** May be given several times, and with commas in one. */
export interface ListOption extends Common {
  readonly kind: "list";
  readonly default: readonly string[];
  /** An empty list says nothing that could be meant. */
  readonly some?: true;
  /** Names of files, which may have spaces in them: only commas are between two. */
  readonly files?: true;
  readonly value: string;
  readonly wants: string;
}
export type Option = NumberOption | FlagOption | TextOption | ChoiceOption | ListOption;

const MIB = 1024 * 1024;
const NONE = Number.POSITIVE_INFINITY;
/** Host timers hold 2³¹−1 ms, which is a little over 24 days. */
const timeout: Bounds = { min: 1, max: 576 * 3_600_000, none: true };
const grace: Bounds = { min: 1, max: 3_600_000, zero: "no grace" };

/** The limits: also options of `serve` and `Deno.serve`. */
export const limitTable = [
  {
    name: "readHeaderTimeout",
    group: "limits",
    kind: "duration",
    default: 5_000,
    bounds: timeout,
    says: "until a request's head is complete",
    section: "limits.md#slow-requests",
  },
  {
    name: "readTimeout",
    group: "limits",
    kind: "duration",
    default: 30_000,
    bounds: timeout,
    says: "until a request's body is complete, longer while it keeps --min-rate",
    section: "limits.md#slow-requests",
  },
  {
    name: "writeTimeout",
    group: "limits",
    kind: "duration",
    default: 30_000,
    bounds: timeout,
    says: "until the response has left, longer while it keeps --min-rate",
    section: "limits.md#slow-responses",
  },
  {
    name: "idleTimeout",
    group: "limits",
    kind: "duration",
    default: 120_000,
    bounds: timeout,
    says: "how long a connection is kept between requests",
    section: "limits.md#idle-connections",
  },
  {
    name: "minRate",
    group: "limits",
    kind: "rate",
    default: 4096,
    bounds: { min: 1, max: 1024 * MIB, zero: "read and write timeouts are absolute" },
    says: "a body this fast extends its timeout; 0 makes both absolute",
    section: "limits.md#slow-requests",
  },
  {
    name: "maxHeaderBytes",
    group: "limits",
    kind: "size",
    default: MIB,
    // A head is kept as one string while its request lives: there is always a bound.
    bounds: { min: 64, max: 64 * MIB },
    says: "the head of a request",
    section: "limits.md#large-requests",
  },
  {
    name: "maxHeaderCount",
    group: "limits",
    kind: "count",
    default: 256,
    bounds: { min: 1, max: 100_000, none: true },
    says: "the header fields of a request",
    section: "limits.md#large-requests",
  },
  {
    name: "maxBodyBytes",
    group: "limits",
    kind: "size",
    default: 64 * MIB,
    bounds: { min: 1, max: MIB * MIB, none: true },
    says: "the body of a request",
    section: "limits.md#large-requests",
  },
  {
    name: "maxConnections",
    group: "limits",
    kind: "count",
    default: 0,
    bounds: { min: 1, max: 10_000_000, none: true, auto: "what the descriptor limit leaves" },
    says: "connections at once; auto is what the descriptor limit leaves",
    section: "limits.md#many-connections",
  },
  {
    name: "maxRequestsPerConnection",
    group: "limits",
    kind: "count",
    default: NONE,
    bounds: { min: 1, max: 1_000_000_000, none: true },
    says: "requests on one connection, then it is closed",
    section: "limits.md#many-connections",
  },
  {
    name: "drainDelay",
    group: "drain",
    kind: "duration",
    default: 0,
    bounds: grace,
    says: "after SIGTERM, how long to go on accepting with readiness red",
    section: "limits.md#drain",
  },
  {
    name: "drainIdle",
    group: "drain",
    kind: "duration",
    default: 1_000,
    bounds: grace,
    says: "then, how long idle connections are still listened to",
    section: "limits.md#drain",
  },
  {
    name: "drainTimeout",
    group: "drain",
    kind: "duration",
    default: 30_000,
    bounds: timeout,
    says: "the end of it all: what still runs is cut, and the exit code is 1",
    section: "limits.md#drain",
  },
] as const satisfies readonly NumberOption[];

const addressTable = [
  {
    name: "port",
    group: "address",
    kind: "port",
    default: 8000,
    bounds: { min: 0, max: 65535 },
    short: "p",
    says: "the port; 0 takes any free one",
    section: "2-run.md#where-it-listens",
  },
  {
    name: "hostname",
    group: "address",
    kind: "text",
    default: "0.0.0.0",
    flag: "host",
    value: "host",
    wants: "an address or a name",
    says: "the address or name to listen on; 0.0.0.0 is every one",
    section: "2-run.md#where-it-listens",
  },
  {
    name: "unix",
    group: "address",
    kind: "text",
    default: undefined,
    value: "path",
    wants: "the path of a socket",
    // Deno's name for it.
    alias: "path",
    says: "listen on a Unix socket instead",
    section: "2-run.md#where-it-listens",
  },
  {
    name: "listen",
    group: "address",
    kind: "list",
    default: [],
    some: true,
    value: "address",
    wants: "an address like :8000, [::1]:8000, unix:/run/x.sock or fd:3",
    says: "instead of all three, :8000, [::1]:8000, unix:/run/x.sock or fd:3; repeatable",
    section: "2-run.md#where-it-listens",
  },
] as const satisfies readonly Option[];

const restTable = [
  {
    name: "h2c",
    group: "protocols",
    kind: "flag",
    default: false,
    says: "HTTP/2 without TLS, for clients that begin with it",
    section: "2-run.md#http2",
  },
  {
    name: "compress",
    group: "protocols",
    kind: "flag",
    default: false,
    says: "compress answers, for clients that can read them so (zstd, br, gzip)",
    section: "compression.md#what-is-compressed",
  },
  {
    name: "parallel",
    group: "threads",
    kind: "count",
    default: 1,
    bounds: { min: 1, max: 250, auto: "one for each processor that it may use" },
    says: "worker threads that serve; auto is one for each processor of the quota or affinity",
    section: "2-run.md#more-than-one-core",
  },
  {
    name: "admin",
    group: "admin",
    kind: "text",
    default: undefined,
    value: "address",
    wants: "an address like 127.0.0.1:9090 or unix:/run/admin.sock",
    says: "live page, metrics and health on a port of their own: 127.0.0.1:9090 or unix:/path",
    section: "operations.md#admin-port",
  },
  {
    name: "adminInsecure",
    group: "admin",
    kind: "flag",
    default: false,
    says: "let --admin be an address that other machines reach",
    section: "operations.md#admin-port",
  },
  {
    name: "logFormat",
    group: "logs",
    kind: "choice",
    default: "auto",
    choices: ["auto", "json", "text"],
    says: "auto is text on a terminal, else json",
    section: "operations.md#logs",
  },
  {
    name: "accessLog",
    group: "logs",
    kind: "flag",
    default: false,
    says: "one line for each request",
    section: "operations.md#logs",
  },
  {
    name: "tls",
    group: "tls",
    kind: "choice",
    default: "auto",
    choices: ["auto", "self-signed", "off"],
    says: "auto: with a certificate; self-signed: one for localhost, of this machine",
    section: "tls.md#on-your-own-machine",
  },
  {
    name: "tlsCert",
    group: "tls",
    kind: "list",
    files: true,
    default: [],
    value: "file",
    wants: "a file with a certificate in PEM format",
    says: "speak TLS with this certificate (PEM); several: by the name asked for",
    section: "tls.md#certificates",
  },
  {
    name: "tlsKey",
    group: "tls",
    kind: "list",
    files: true,
    default: [],
    value: "file",
    wants: "a file with a private key in PEM format",
    says: "and its private key; of several in the same order",
    section: "tls.md#certificates",
  },
  {
    name: "tlsPfx",
    group: "tls",
    kind: "list",
    files: true,
    default: [],
    value: "file",
    wants: "a file with a certificate and its key in PKCS#12 format",
    says: "instead of both: PKCS#12 (.pfx, .p12)",
    section: "tls.md#certificates",
  },
  {
    name: "tlsPassphraseFile",
    group: "tls",
    kind: "text",
    default: undefined,
    value: "file",
    wants: "a file whose first line decrypts the key",
    says: "whose first line decrypts the key, where it is encrypted",
    section: "tls.md#certificates",
  },
  {
    name: "tlsOcsp",
    group: "tls",
    kind: "list",
    files: true,
    default: [],
    value: "file",
    wants: "a file with the authority's answer about the certificate, in DER",
    says: "shown beside the certificate: its authority's word (OCSP, DER)",
    section: "tls.md#its-authoritys-word",
  },
  {
    name: "tlsPolicy",
    group: "tls",
    kind: "choice",
    default: "intermediate",
    choices: ["intermediate", "modern"],
    says: "modern is TLS 1.3 alone",
    section: "tls.md#what-is-agreed-on",
  },
  {
    name: "tlsClientAuth",
    group: "tls",
    kind: "choice",
    default: "none",
    choices: ["none", "request", "require"],
    says: "whether clients are to show a certificate",
    section: "tls.md#certificates-of-clients",
  },
  {
    name: "tlsClientCa",
    group: "tls",
    kind: "text",
    default: undefined,
    value: "file",
    wants: "a file with certificates in PEM format",
    says: "who signs the certificates of clients (PEM)",
    section: "tls.md#certificates-of-clients",
  },
  {
    name: "hsts",
    group: "tls",
    kind: "text",
    default: undefined,
    value: "time",
    wants: "days or years, like 180d",
    says: "tell browsers to ask by https only: 180d, 1y includeSubDomains",
    section: "tls.md#https-only",
  },
  {
    name: "redirectHttp",
    group: "tls",
    kind: "text",
    default: undefined,
    value: "address",
    wants: "an address like :80",
    says: "where http is answered with a redirect to https: :80",
    section: "tls.md#https-only",
  },
  {
    name: "redirectPort",
    group: "tls",
    kind: "port",
    default: 0,
    bounds: { min: 1, max: 65_535, zero: "the port that the server listens on" },
    says: "and the port of https as clients see it; 0: the server's own",
    section: "tls.md#https-only",
  },
  {
    name: "tlsTicketKeys",
    group: "tls",
    kind: "text",
    default: undefined,
    value: "file",
    wants: "a file with keys, one a line, or env: and the name of a variable that has them",
    says: "keys of session tickets that replicas share; env:NAME: a variable",
    section: "tls.md#sessions",
  },
  {
    name: "proxyProtocol",
    group: "proxy",
    kind: "flag",
    default: false,
    says: "connections begin with a PROXY header, v1 or v2; others are closed",
    section: "operations.md#behind-a-proxy",
  },
  {
    name: "trustProxy",
    group: "proxy",
    kind: "list",
    default: [],
    value: "addresses",
    wants: "an address or a range like 10.0.0.0/8",
    says: "whose PROXY, Forwarded and X-Forwarded-* headers are believed: 10.0.0.0/8,::1",
    section: "operations.md#behind-a-proxy",
  },
  {
    name: "wsIdleTimeout",
    group: "websocket",
    kind: "duration",
    default: 120_000,
    bounds: timeout,
    says: "without a word from a client, which is asked at half of it",
    section: "websocket.md#time",
  },
  {
    name: "wsMessageTimeout",
    group: "websocket",
    kind: "duration",
    default: 30_000,
    bounds: timeout,
    says: "until a message that has begun is whole, longer while it keeps --min-rate",
    section: "websocket.md#time",
  },
  {
    name: "wsCloseTimeout",
    group: "websocket",
    kind: "duration",
    default: 5_000,
    bounds: timeout,
    says: "how long a client may take to answer our close frame",
    section: "websocket.md#time",
  },
  {
    name: "wsMaxMessageBytes",
    group: "websocket",
    kind: "size",
    default: 16 * MIB,
    // A message is kept until it is whole: there is always a bound.
    bounds: { min: 125, max: 1024 * MIB },
    says: "a message, decompressed",
    section: "websocket.md#size",
  },
  {
    name: "wsMaxFrameBytes",
    group: "websocket",
    kind: "size",
    default: 16 * MIB,
    bounds: { min: 125, max: 1024 * MIB },
    says: "a frame, of which a message may have many",
    section: "websocket.md#size",
  },
  {
    name: "wsMaxBufferedBytes",
    group: "websocket",
    kind: "size",
    default: 16 * MIB,
    bounds: { min: 1024, max: 1024 * MIB * MIB, none: true },
    says: "what may wait for one client that does not read; it is cut beyond",
    section: "websocket.md#back-pressure",
  },
  {
    name: "wsCompression",
    group: "websocket",
    kind: "choice",
    default: "on",
    choices: ["on", "off"],
    says: "compress messages where a client offers it",
    section: "websocket.md#compression",
  },
  {
    name: "wsMemory",
    group: "websocket",
    kind: "size",
    default: 64 * MIB,
    bounds: { min: 1024, max: 1024 * MIB * MIB, zero: "no windows are kept", none: true },
    says: "what the windows of compression may take, for each thread",
    section: "websocket.md#compression",
  },
  {
    name: "fetchConnectTimeout",
    group: "fetch",
    kind: "duration",
    default: 5_000,
    bounds: timeout,
    says: "until a connection stands, with the look-up of its name",
    section: "client.md#timeouts",
  },
  {
    name: "fetchHeaderTimeout",
    group: "fetch",
    kind: "duration",
    default: 30_000,
    bounds: timeout,
    says: "from the request's last byte to the end of the response's head",
    section: "client.md#timeouts",
  },
  {
    name: "fetchBodyTimeout",
    group: "fetch",
    kind: "duration",
    default: 30_000,
    bounds: timeout,
    says: "how long the server may leave a body without a byte, either way",
    section: "client.md#timeouts",
  },
  {
    name: "fetchIdleTimeout",
    group: "fetch",
    kind: "duration",
    default: 30_000,
    bounds: timeout,
    says: "how long a connection is kept for the next request",
    section: "client.md#connections",
  },
  {
    name: "fetchMaxIdlePerHost",
    group: "fetch",
    kind: "count",
    default: 100,
    bounds: { min: 1, max: 1_000_000, zero: "none is kept" },
    says: "idle connections kept for one host",
    section: "client.md#connections",
  },
  {
    name: "fetchMaxIdle",
    group: "fetch",
    kind: "count",
    default: 1_000,
    bounds: { min: 1, max: 1_000_000, zero: "none is kept" },
    says: "idle connections kept in all",
    section: "client.md#connections",
  },
  {
    name: "cacheMaxBytes",
    group: "fetch",
    kind: "size",
    default: 64 * MIB,
    bounds: { min: 1024, max: 1024 * MIB * MIB, zero: "nothing is kept" },
    says: "what `caches` keep, for each thread; the least recently used goes first",
    section: "client.md#caches",
  },
  {
    name: "traceTasks",
    group: "tasks",
    kind: "flag",
    default: false,
    says: "remember where each task was started",
    section: "operations.md#tasks",
  },
  {
    name: "stallWarning",
    group: "tasks",
    kind: "duration",
    default: 100,
    bounds: { min: 1, max: 3_600_000, none: true },
    says: "warn when one turn of the event loop takes longer",
    section: "operations.md#tasks",
  },
  {
    name: "traceStalls",
    group: "tasks",
    kind: "flag",
    default: false,
    says: "and say which line it was",
    section: "operations.md#tasks",
  },
] as const satisfies readonly Option[];

/** In the order of help and docs. */
export const optionTable: readonly Option[] = [...addressTable, ...limitTable, ...restTable];

export type LimitName = (typeof limitTable)[number]["name"];
export type OptionName = (typeof addressTable | typeof limitTable | typeof restTable)[number]["name"];

const flagNames = new Map<Option, string>();

/** `read-timeout`, `host`. */
export function flagOf(option: Option): string {
  let flag = flagNames.get(option);
  if (flag === undefined) {
    flag = option.flag ?? option.name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    flagNames.set(option, flag);
  }
  return flag;
}

/** `SLIPWAY_READ_TIMEOUT`, `SLIPWAY_HOST`. */
export function variableOf(option: Option): string {
  return `${VARIABLES}${flagOf(option).replaceAll("-", "_").toUpperCase()}`;
}

const VARIABLES = "SLIPWAY_";

/** The environment's names that can be options. Nearly always none: then nothing needs the names of all of them. */
export function variablesIn(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(env).filter((name) => name.startsWith(VARIABLES));
}
