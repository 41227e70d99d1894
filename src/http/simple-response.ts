/**
 * The common response, written whole into the poller's outgoing memory: a light Response whose body is a string,
 * bytes or nothing. Everything else is `response-sender.ts`'s.
 */
import {
  markBodyUsed,
  responseBody,
  responseBodyUsed,
  responseContentType,
  responseFields,
  responseStatus,
  responseStatusText,
} from "../fetch/mod.ts";
import type { Outgoing } from "./outgoing.ts";
import { CLOSE, KEEP_ALIVE, PERSIST, writeHead } from "./response-head.ts";

const CR = 0x0d;
const LF = 0x0a;
/** Up to here a loop over char codes beats a call of `utf8Write` (measured: 40 against 90 ns at 11 characters). */
const SHORT = 64;

/** What the head must say about persistence (RFC 9112, 9.3). */
export function persistence(keepAlive: boolean, minor: number): number {
  if (!keepAlive) return CLOSE;
  return minor === 0 ? KEEP_ALIVE : PERSIST;
}

/** No content, whatever the handler says (RFC 9112, 6.3). */
export function isBodiless(status: number): boolean {
  return status === 204 || status === 304 || (status >= 100 && status < 200);
}

/**
 * Writes a response to a request that was not HEAD. Returns the index behind it, or -1 when it is not simple or does
 * not fit; then nothing is marked as used. Fields that frame the message are the caller's to have looked for.
 */
export function writeSimple(
  out: Outgoing,
  at: number,
  response: Response,
  keepAlive: boolean,
  minor: number,
  requestId?: string,
): number {
  const body = responseBody(response);
  const status = responseStatus(response);
  if (isBodiless(status) || status === 0) return -1;
  const fields = responseFields(response);
  if (fields !== null && saysClose(fields)) return -1;
  const type = responseContentType(response);
  const text = responseStatusText(response);
  const how = persistence(keepAlive, minor);
  if (typeof body === "string") {
    const { length } = body;
    if (responseBodyUsed(response) || at + length * 3 + 64 > out.length) return -1;
    // Headroom for the length's digits and the empty line: the body is tried behind a head for ASCII first.
    const head = writeHead(out, at, status, text, type, fields, length, how, requestId);
    if (head < 0 || head + length * 3 > out.length) return -1;
    const end = length <= SHORT ? writeAscii(out, head, body) : head + out.utf8Write(body, head);
    if (end === head + length) {
      markBodyUsed(response);
      return end;
    }
    // Not ASCII: the head says the wrong length. Where it stands is where the right one goes.
    const size = length <= SHORT ? Buffer.byteLength(body) : end - head;
    const again = writeHead(out, at, status, text, type, fields, size, how, requestId);
    if (again < 0 || again + size > out.length) return -1;
    out.utf8Write(body, again);
    markBodyUsed(response);
    return again + size;
  }
  if (body === null) return writeHead(out, at, status, text, type, fields, 0, how, requestId);
  if (!(body instanceof Uint8Array) || responseBodyUsed(response)) return -1;
  const head = writeHead(out, at, status, text, type, fields, body.length, how, requestId);
  if (head < 0 || head + body.length > out.length) return -1;
  out.set(body, head);
  markBodyUsed(response);
  return head + body.length;
}

/** The handler wants the connection closed: rare enough to leave the fast way. */
function saysClose(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === "connection") return true;
  return false;
}

/** Returns the index behind the text, or `at` when it is not ASCII. */
function writeAscii(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c > 0x7f) return at;
    out[at + i] = c;
  }
  return at + text.length;
}

/** A whole error answer of our own, after which the connection is closed. Returns the index behind it. */
export function writeError(
  out: Outgoing,
  at: number,
  status: number,
  reason: string,
  toHead = false,
  fields: readonly string[] | null = null,
): number {
  const head = writeHead(out, at, status, "", "text/plain;charset=UTF-8", fields, reason.length + 1, CLOSE);
  // RFC 9110, 9.3.2: no content in an answer to HEAD, not even in a refusal.
  if (toHead) return head;
  const end = head + out.latin1Write(reason, head);
  out[end] = LF;
  return end + 1;
}

/** The line before a chunk (RFC 9112, 7.1): its size in hex. */
export function writeChunkSize(out: Outgoing, at: number, size: number): number {
  at += out.latin1Write(size.toString(16), at);
  out[at] = CR;
  out[at + 1] = LF;
  return at + 2;
}
