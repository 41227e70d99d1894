/**
 * What a response may have besides its head and its body: interim responses before it (103 Early Hints, RFC 8297), and
 * trailer fields behind it (RFC 9110, 6.5). Few have any, so that an exchange has room for one reference to them.
 */
import { Headers } from "../fetch/mod.ts";
import { CONTROLS } from "./response-head.ts";

export type TrailerFields = HeadersInit | Promise<HeadersInit> | (() => HeadersInit | Promise<HeadersInit>);

export class Extras {
  /** Fields of each 103 that has not left yet: name, value, name, value. */
  hints: (readonly string[])[] = [];
  trailers: TrailerFields | undefined;
  /** Whose they are; undefined for whichever response comes. */
  of: Response | undefined;
}

/** Those of a response: what a proxy passes on belongs to its upstream's answer, not to one that is sent in its place. */
export function trailersOf(extras: Extras | undefined, response: Response): TrailerFields | undefined {
  return extras?.of === undefined || extras.of === response ? extras?.trailers : undefined;
}

/** RFC 9110, 6.5.1: what frames or routes a message, or says how it is to be read, comes too late behind it. */
const NOT_BEHIND = new Set([
  ...["authorization", "cache-control", "connection", "content-encoding", "content-length", "content-range"],
  ...["content-type", "expect", "host", "keep-alive", "max-forwards", "pragma", "proxy-authenticate"],
  ...[
    "proxy-authorization",
    "proxy-connection",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
  ],
  "www-authenticate",
]);
/** Of one connection, and not of a 103's message. */
const NOT_HINTS = new Set(["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"]); // biome-ignore format: one line
/** All of them, with their names: they are in one frame of HTTP/2. */
export const MOST = 12 * 1024;

export function hintFields(init: HeadersInit): readonly string[] {
  return fieldsOf(init, NOT_HINTS, "early hints");
}

/** The fields that were promised. Rejects where they can't be sent. */
export async function trailerFields(trailers: TrailerFields): Promise<readonly string[]> {
  return fieldsOf(await (typeof trailers === "function" ? trailers() : trailers), NOT_BEHIND, "trailers");
}

/** What a client has sent behind its body. What may not be there is left out (RFC 9110, 6.5.1). */
export function receivedTrailers(fields: readonly string[]): Headers {
  const headers = new Headers();
  for (let i = 0; i < fields.length; i += 2) {
    if (!NOT_BEHIND.has(fields[i].toLowerCase())) headers.append(fields[i], fields[i + 1]);
  }
  return headers;
}

function fieldsOf(init: HeadersInit, without: ReadonlySet<string>, what: string): readonly string[] {
  const fields: string[] = [];
  let size = 0;
  for (const [name, value] of new Headers(init)) {
    if (without.has(name)) throw new TypeError(`${what} can't have a field "${name}"`);
    size += name.length + value.length + 32;
    fields.push(name, value.replace(CONTROLS, " ").trim());
  }
  if (size > MOST) throw new TypeError(`${what} are too large: at most ${MOST} bytes, and 32 for each field`);
  return fields;
}

/** As lines of HTTP/1.1. */
export function fieldLines(fields: readonly string[]): string {
  let text = "";
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return text;
}
