/**
 * Header blocks of responses, prepared once per shape as HTTP/1.1's heads are (`src/http/response-head.ts`): nothing of
 * ours is in a client's table (`hpack-encoder.ts`), so the same bytes do on every connection.
 */
import { responseBody, responseFields, responseStatus } from "../fetch/mod.ts";
import { CONTROLS, currentSecond, dateText, OURS } from "../http/response-head.ts";
import { announcedLength } from "../http/sendable.ts";
import { isBodiless } from "../http/simple-response.ts";
import { fieldRoom, writeField, writeInteger, writeString } from "./hpack-encoder.ts";

interface Shape {
  readonly status: number;
  readonly type: string | null;
  readonly fields: readonly string[];
  readonly second: number;
  /** The handler set x-request-id itself. */
  readonly identified: boolean;
  readonly bytes: Uint8Array;
}

/** Shapes kept; a server with more of them than this builds some blocks anew. */
const KEPT = 16;
const NO_FIELDS: readonly string[] = [];
/** Literal, not indexed, with the name from the static table (RFC 7541, 6.2.2): content-length is entry 28. */
const CONTENT_LENGTH = 28;
/** What stands outside of a shape: the length, and an id of 128 characters. */
const OUTSIDE = 256;

const shapes: (Shape | undefined)[] = new Array(KEPT).fill(undefined);
let latest: Shape | undefined;
let next = 0;

/** The content-length of a response (RFC 9110, 8.6), -1 when none is said. */
export function lengthToSay(response: Response, toHead: boolean): number {
  const status = responseStatus(response);
  const body = responseBody(response);
  if (isBodiless(status)) return status === 304 ? announcedLength(responseFields(response)) : -1;
  if (typeof body === "string") return Buffer.byteLength(body);
  if (body instanceof Uint8Array) return body.length;
  if (body instanceof Blob) return body.size;
  const announced = announcedLength(responseFields(response));
  return body !== null || (toHead && announced >= 0) ? announced : 0;
}

/** What `writeBlock` needs at most. */
export function blockRoom(status: number, type: string | null, fields: readonly string[] | null): number {
  return shapeOf(status, type, fields).bytes.length + OUTSIDE;
}

/** Writes the block of a response's head, returns the index behind it. */
export function writeBlock(
  out: Uint8Array,
  at: number,
  status: number,
  type: string | null,
  fields: readonly string[] | null,
  length: number,
  requestId: string | undefined,
): number {
  const { bytes, identified } = shapeOf(status, type, fields);
  out.set(bytes, at);
  at += bytes.length;
  if (length >= 0) at = writeString(out, writeInteger(out, at, 0, 4, CONTENT_LENGTH), `${length}`);
  if (requestId !== undefined && !identified) at = writeField(out, at, "x-request-id", requestId);
  return at;
}

/** Writes the block of an interim response (RFC 9110, 15.2). */
export function writeInterim(
  out: Uint8Array,
  at: number,
  status: number,
  fields: readonly string[] = NO_FIELDS,
): number {
  return writeFieldList(out, writeField(out, at, ":status", `${status}`), fields);
}

/** Of trailers, which have nothing else (RFC 9113, 8.1). */
export function writeFieldList(out: Uint8Array, at: number, fields: readonly string[]): number {
  for (let i = 0; i < fields.length; i += 2) at = writeField(out, at, fields[i], fields[i + 1]);
  return at;
}

/** What it needs at most. */
export function fieldListRoom(fields: readonly string[]): number {
  let room = 0;
  for (let i = 0; i < fields.length; i += 2) room += fieldRoom(fields[i], fields[i + 1]);
  return room;
}

function shapeOf(status: number, type: string | null, fields: readonly string[] | null): Shape {
  const stamp = currentSecond();
  const list = fields ?? NO_FIELDS;
  if (latest !== undefined && matches(latest, status, type, list, stamp)) return latest;
  for (const shape of shapes) {
    if (shape !== undefined && matches(shape, status, type, list, stamp)) return (latest = shape);
  }
  latest = build(status, type, list, stamp);
  shapes[next] = latest;
  next = (next + 1) % KEPT;
  return latest;
}

function matches(shape: Shape, status: number, type: string | null, fields: readonly string[], stamp: number): boolean {
  if (shape.status !== status || shape.second !== stamp || shape.type !== type) return false;
  if (shape.fields.length !== fields.length) return false;
  for (let i = 0; i < fields.length; i++) if (shape.fields[i] !== fields[i]) return false;
  return true;
}

function build(status: number, type: string | null, fields: readonly string[], stamp: number): Shape {
  let room = 256;
  for (let i = 0; i < fields.length; i += 2) room += fieldRoom(fields[i], fields[i + 1]);
  const bytes = new Uint8Array(room + (type?.length ?? 0));
  let at = writeField(bytes, 0, ":status", `${status}`);
  let dated = false;
  let identified = false;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i];
    // RFC 9113, 8.2.2: what concerns a connection has no place here.
    if (OURS.has(name) || name === "proxy-connection") continue;
    if (name === "date") dated = true;
    else if (name === "x-request-id") identified = true;
    at = writeField(bytes, at, name, fields[i + 1].replace(CONTROLS, " ").trim());
  }
  if (type !== null) at = writeField(bytes, at, "content-type", type);
  if (!dated) at = writeField(bytes, at, "date", dateText);
  return { status, type, fields: fields.slice(), second: stamp, identified, bytes: bytes.slice(0, at) };
}
