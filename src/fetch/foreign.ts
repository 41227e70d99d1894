/** Responses that are not ours: the host's (`return fetch(…)`), npm undici's, node-fetch's. */
import { isDecompressed, UNTRUE } from "./decoded.ts";
import { forwardable } from "./headers.ts";
import { isForeign } from "./native.ts";
import { Response } from "./response.ts";

/** True for a response of another implementation, which `toLightResponse` can turn into ours. */
export function isForeignResponse(x: unknown): x is globalThis.Response {
  return isForeign(x, "Response");
}

/**
 * The same response as one of ours, over the same stream. Fields of the connection that it came over stay behind,
 * and Content-Encoding and Content-Length where `fetch` has decompressed the body. A body that was read already
 * is a TypeError, a network error (`type: "error"`, status 0) a RangeError.
 */
export function toLightResponse(native: globalThis.Response): Response {
  if (native.bodyUsed) throw new TypeError("The response's body has already been read.");
  const { status, statusText } = native;
  const fields = forwardable(native.headers);
  const headers = isDecompressed(native) ? fields.filter(([name]) => !UNTRUE.includes(name)) : fields;
  return new Response(native.body, { status, statusText, headers });
}
