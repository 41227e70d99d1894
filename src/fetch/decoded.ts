/**
 * `fetch` decompresses what it gets, and leaves Content-Encoding and Content-Length in the headers, which are then
 * untrue of the body. Whoever hands such a body on (`return fetch(url)`, `new Response(res.body, res)`, a proxy's
 * bread and butter) would send a response that no client can read. So the two fields stay behind.
 */
import { isForeign } from "./native.ts";

const decoded = new WeakSet<ReadableStream>();

/** Remembers the body of a response that our `fetch` got, if it was decompressed. */
export function rememberDecoded(response: globalThis.Response): void {
  if (isDecoded(response.headers.get("content-encoding")) && response.body !== null) decoded.add(response.body);
}

/** Takes the two fields out of a flat list, if `body` came decompressed from a `fetch`. */
export function dropDecodedFields(fields: string[], body: ReadableStream, init: unknown): void {
  if (!decoded.has(body) && !isFetched(init, body)) return;
  let coding: string | null = null;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === "content-encoding") coding = coding === null ? fields[i + 1] : `${coding}, ${fields[i + 1]}`;
  }
  if (!isDecoded(coding)) return;
  for (let i = fields.length - 2; i >= 0; i -= 2) {
    if (fields[i] === "content-encoding" || fields[i] === "content-length") fields.splice(i, 2);
  }
}

/** True if `init` is the response of someone else's `fetch` (npm's undici, one captured earlier), with this body. */
function isFetched(init: unknown, body: ReadableStream): boolean {
  if (!isForeign(init, "Response")) return false;
  const response = init as globalThis.Response;
  return response.type !== "default" && response.body === body;
}

/** fetch decodes if it knows all the codings, and else none. */
function isDecoded(contentEncoding: string | null): boolean {
  if (contentEncoding === null || contentEncoding === "") return false;
  return contentEncoding.split(",").every((coding) => /^(?:x-gzip|gzip|deflate|br|zstd)$/i.test(coding.trim()));
}
