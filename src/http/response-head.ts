/**
 * Response heads, prepared once per shape. Servers answer with few shapes (status, fields, persistence), so the bytes
 * of all but the framing are kept for each, and a response's head is one copy plus the digits of its length.
 */

import type { Outgoing } from "./outgoing.ts";

/** How the end of the body is marked (RFC 9112, 6.3): a length ≥ 0, or one of these. */
export const CHUNKED = -1;
/** No framing at all: no body (1xx, 204, 304), or one that ends with the connection (HTTP/1.0). */
export const UNFRAMED = -2;

/** What the head says of persistence: nothing, "close", or "keep-alive" (which HTTP/1.0 needs to hear). */
export const PERSIST = 0;
export const CLOSE = 1;
export const KEEP_ALIVE = 2;

/** RFC 9110, 15, and the registry. */
const REASONS: Readonly<Record<number, string>> = {
  100: "Continue",
  101: "Switching Protocols",
  102: "Processing",
  103: "Early Hints",
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  207: "Multi-Status",
  208: "Already Reported",
  226: "IM Used",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  305: "Use Proxy",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  418: "I'm a Teapot",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  423: "Locked",
  424: "Failed Dependency",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  506: "Variant Also Negotiates",
  507: "Insufficient Storage",
  508: "Loop Detected",
  510: "Not Extended",
  511: "Network Authentication Required",
};

export function reasonPhrase(status: number): string {
  return REASONS[status] ?? "";
}

const NO_FIELDS: readonly string[] = [];
/** Fetch's Headers take these in a value, RFC 9110, 5.5 does not: they leave as spaces. Looked for once a shape. */
export const CONTROLS = /[\0-\x08\x0a-\x1f\x7f]/g;
/** Fields that frame the message or concern this connection only: ours to say, not the handler's. */
export const OURS: ReadonlySet<string> = new Set([
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "upgrade",
]);

interface Shape {
  readonly status: number;
  readonly statusText: string;
  readonly type: string | null;
  readonly fields: readonly string[];
  readonly persistence: number;
  readonly second: number;
  /** The handler set x-request-id itself. */
  readonly identified: boolean;
  readonly bytes: Buffer;
}

/** Shapes kept; a server with more of them than this builds some heads anew. */
const KEPT = 16;
const CR = 0x0d;
const LF = 0x0a;
const CONTENT_LENGTH = Buffer.from("content-length: ", "latin1");
const TRANSFER_ENCODING = Buffer.from("transfer-encoding: chunked\r\n\r\n", "latin1");

const shapes: (Shape | undefined)[] = new Array(KEPT).fill(undefined);
let latest: Shape | undefined;
let next = 0;

let second = 0;
/** What `currentSecond` has formatted. */
export let dateText = "";

/** Reads the clock for Date (RFC 9110, 6.6.1), formatted at most once a second and only when a response needs it. */
export function currentSecond(): number {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    dateText = new Date(now * 1000).toUTCString();
  }
  return second;
}

/**
 * Writes a head into `out` at `at`. Returns the index behind it, or -1 when it does not fit.
 *
 * `fields` is flat: name, value, name, value. `type` is a content-type that the body implies, or null. `requestId`, of
 * field-value characters, stands outside of the shape, which would be another one with each request.
 */
export function writeHead(
  out: Outgoing,
  at: number,
  status: number,
  statusText: string,
  type: string | null,
  fields: readonly string[] | null,
  framing: number,
  persistence: number,
  requestId?: string,
): number {
  const from = at;
  const stamp = currentSecond();
  const list = fields ?? NO_FIELDS;
  let shape = latest;
  if (shape === undefined || !matches(shape, status, statusText, type, list, persistence, stamp)) {
    shape = find(status, statusText, type, list, persistence, stamp);
  }
  const { bytes } = shape;
  if (at + bytes.length + 48 > out.length) return -1;
  out.set(bytes, at);
  at += bytes.length;
  if (requestId !== undefined && !shape.identified) {
    if (at + requestId.length + 80 > out.length) return -1;
    at += out.latin1Write(`x-request-id: ${requestId}\r\n`, at);
  }
  if (framing >= 0) {
    out.set(CONTENT_LENGTH, at);
    at = writeDecimal(out, at + CONTENT_LENGTH.length, framing);
    out[at++] = CR;
    out[at++] = LF;
  } else if (framing === CHUNKED) {
    out.set(TRANSFER_ENCODING, at);
    at += TRANSFER_ENCODING.length;
    headLength = at - from;
    return at;
  }
  out[at++] = CR;
  out[at++] = LF;
  headLength = at - from;
  return at;
}

/** Of the head that was written last: who counts bodies takes it off. */
export let headLength = 0;

/** Writes digits, returns the index behind them. */
export function writeDecimal(out: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    out[at] = 0x30 + value;
    return at + 1;
  }
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  for (let i = at + digits - 1; i >= at; i--) {
    const tens = Math.floor(value / 10);
    out[i] = 0x30 + value - tens * 10;
    value = tens;
  }
  return at + digits;
}

function matches(
  shape: Shape,
  status: number,
  statusText: string,
  type: string | null,
  fields: readonly string[],
  persistence: number,
  stamp: number,
): boolean {
  if (
    shape.status !== status ||
    shape.second !== stamp ||
    shape.persistence !== persistence ||
    shape.type !== type ||
    shape.statusText !== statusText ||
    shape.fields.length !== fields.length
  ) {
    return false;
  }
  for (let i = 0; i < fields.length; i++) if (shape.fields[i] !== fields[i]) return false;
  return true;
}

function find(
  status: number,
  statusText: string,
  type: string | null,
  fields: readonly string[],
  persistence: number,
  stamp: number,
): Shape {
  for (const shape of shapes) {
    if (shape && matches(shape, status, statusText, type, fields, persistence, stamp)) return (latest = shape);
  }
  let text = `HTTP/1.1 ${status} ${statusText || reasonPhrase(status)}\r\n`;
  let dated = false;
  let identified = false;
  for (let i = 0; i < fields.length; i += 2) {
    if (OURS.has(fields[i])) {
      // RFC 9110, 15.5.22 and 7.8: what to upgrade to is said with a 426, and is for this connection.
      if (status === 426 && fields[i] === "upgrade") text += `upgrade: ${fields[i + 1]}\r\nconnection: upgrade\r\n`;
      continue;
    }
    if (fields[i] === "date") dated = true;
    else if (fields[i] === "x-request-id") identified = true;
    text += `${fields[i]}: ${fields[i + 1].replace(CONTROLS, " ")}\r\n`;
  }
  if (type !== null) text += `content-type: ${type}\r\n`;
  if (!dated) text += `date: ${dateText}\r\n`;
  if (persistence === CLOSE) text += "connection: close\r\n";
  else if (persistence === KEEP_ALIVE) text += "connection: keep-alive\r\n";
  const shape: Shape = {
    status,
    statusText,
    type,
    fields: fields.slice(),
    persistence,
    second: stamp,
    identified,
    bytes: Buffer.from(text, "latin1"),
  };
  shapes[next] = shape;
  next = (next + 1) % KEPT;
  return (latest = shape);
}
