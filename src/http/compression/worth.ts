/** Which responses may be compressed, and which are worth it: by status, fields and media type. */

/** Below this the coding's own bytes and the time for it are more than what is saved: a response fits into one packet. */
export const SMALLEST = 1024;

/** Media types that shrink. Images, videos, fonts of the web and archives are compressed already. */
const SHRINKS = new Set([
  "application/ecmascript",
  "application/graphql",
  "application/javascript",
  "application/json",
  "application/json-seq",
  "application/jsonl",
  "application/manifest",
  "application/rtf",
  "application/sql",
  "application/toml",
  "application/vnd.ms-fontobject",
  "application/wasm",
  "application/x-javascript",
  "application/x-ndjson",
  "application/x-www-form-urlencoded",
  "application/x-yaml",
  "application/xml",
  "application/yaml",
  "font/collection",
  "font/otf",
  "font/ttf",
  "image/bmp",
  "image/vnd.microsoft.icon",
  "image/x-icon",
]);
/** RFC 6839's suffixes, and SVG with them. */
const SUFFIXED = /\+(?:json|json-seq|xml|yaml|text)$/;

const KEPT = 64;
const known = new Map<string, boolean>();

export function shrinks(contentType: string): boolean {
  const found = known.get(contentType);
  if (found !== undefined) return found;
  const type = contentType.split(";", 1)[0].trim().toLowerCase();
  const answer = type.startsWith("text/") || SHRINKS.has(type) || SUFFIXED.test(type);
  if (known.size >= KEPT) known.clear();
  known.set(contentType, answer);
  return answer;
}

/** No content, one that ends HTTP, and a part, whose bytes are counted as they are (RFC 9110, 15.3.7). */
export function hasWholeContent(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 205 && status !== 206 && status !== 304;
}

/**
 * What says that these bytes are to stay as they are: another coding, a part, and sums over them (RFC 9530: both digests
 * are of the encoded bytes; RFC 9421 signs them).
 */
const KEEPS = new Set([
  "content-encoding",
  "content-range",
  "content-digest",
  "repr-digest",
  "digest",
  "content-md5",
  "signature",
]);
/** RFC 9111, 5.2.2.6. */
const NO_TRANSFORM = /(?:^|,)\s*no-transform\s*(?:,|$)/i;

export interface Described {
  readonly type: string | null;
  /** Content-Length, -1 where there is none. */
  readonly length: number;
}

/** Undefined: leave it alone, and say nothing. */
export function describe(implied: string | null, fields: readonly string[] | null): Described | undefined {
  let type = implied;
  let length = -1;
  for (let i = 0; fields !== null && i < fields.length; i += 2) {
    const name = fields[i];
    if (name === "content-type") type = fields[i + 1];
    else if (name === "content-length" && /^\d{1,15}$/.test(fields[i + 1])) length = Number(fields[i + 1]);
    else if (name === "cache-control" && NO_TRANSFORM.test(fields[i + 1])) return undefined;
    else if (KEEPS.has(name)) return undefined;
  }
  return { type, length };
}

/** The fields of a response that could be compressed: caches must know that it depends on who asks (RFC 9110, 12.5.5). */
export function variedFields(fields: readonly string[] | null): string[] {
  const varied = fields === null ? [] : fields.slice();
  let at = -1;
  for (let i = 0; i < varied.length; i += 2) {
    if (varied[i] !== "vary") continue;
    if (/(?:^|,)\s*(?:\*|accept-encoding)\s*(?:,|$)/i.test(varied[i + 1])) return varied;
    at = i + 1;
  }
  if (at < 0) varied.push("vary", "Accept-Encoding");
  else varied[at] = varied[at].trim() === "" ? "Accept-Encoding" : `${varied[at]}, Accept-Encoding`;
  return varied;
}

/**
 * Those of one that is. RFC 9110, 8.8.3.3: two codings of one thing may not have the same strong validator, so a strong
 * ETag becomes weak, as nginx makes it: If-None-Match compares weakly all the same (13.1.2). Ranges would be of the
 * encoded bytes, which the handler does not know.
 */
export function encodedFields(fields: readonly string[] | null, coding: string): string[] {
  const varied = variedFields(fields);
  const encoded: string[] = [];
  for (let i = 0; i < varied.length; i += 2) {
    const name = varied[i];
    const value = varied[i + 1];
    if (name === "content-length" || name === "accept-ranges") continue;
    encoded.push(name, name === "etag" && value.startsWith('"') ? `W/${value}` : value);
  }
  encoded.push("content-encoding", coding);
  return encoded;
}
