/**
 * `fetch` decompresses what it gets, and leaves Content-Encoding and Content-Length in the headers, which are then
 * untrue of the body. Whoever hands such a body on (`return fetch(url)`, `new Response(res.body, res)`, a proxy's
 * bread and butter) would send a response that no client can read. So the two fields stay behind.
 */
import { isForeign } from "./native.ts";

const decoded = new WeakSet<ReadableStream>();

/** Remembers the body of a response that our `fetch` got, if it was decompressed. */
export function rememberDecoded(response: globalThis.Response): void {
  if (isDecompressed(response) && response.body !== null) decoded.add(response.body);
}

/** The same of a body that our own client has decoded. */
export function rememberStream(body: ReadableStream): void {
  decoded.add(body);
}

/**
 * True if the body of this response is no longer in the coding that its headers name: it has come over a network
 * (a response that was constructed has no URL), through a `fetch` that knows the coding.
 */
export function isDecompressed(response: globalThis.Response): boolean {
  return response.body !== null && response.url !== "" && isDecoded(response.headers.get("content-encoding"));
}

/** Takes the two fields out of a flat list, if `body` came decompressed from a `fetch`. */
export function dropDecodedFields(fields: string[], body: ReadableStream, init: unknown): void {
  if (!decoded.has(body) && !isOf(init, body)) return;
  for (let i = fields.length - 2; i >= 0; i -= 2) if (UNTRUE.includes(fields[i])) fields.splice(i, 2);
}

/** The fields that are untrue of a decompressed body. */
export const UNTRUE: readonly string[] = ["content-encoding", "content-length"];

/** True if `init` is the decompressed response of someone else's `fetch` (captured earlier, npm's), with this body. */
function isOf(init: unknown, body: ReadableStream): boolean {
  if (!isForeign(init, "Response")) return false;
  const response = init as globalThis.Response;
  return response.body === body && isDecompressed(response);
}

/** fetch decodes if it knows all the codings, and else none. */
function isDecoded(contentEncoding: string | null): boolean {
  if (contentEncoding === null || contentEncoding === "") return false;
  return contentEncoding.split(",").every((coding) => /^(?:x-gzip|gzip|deflate|br|zstd)$/i.test(coding.trim()));
}
