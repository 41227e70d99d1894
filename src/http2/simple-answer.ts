/**
 * The common response, written whole behind others into the batch that leaves next: a light Response whose body is a
 * string, bytes or nothing, and fits into one frame and into what the client lets us send.
 */
import {
  markBodyUsed,
  responseBody,
  responseBodyUsed,
  responseContentType,
  responseFields,
  responseStatus,
} from "../fetch/mod.ts";
import { isBodiless } from "../http/simple-response.ts";
import { DATA, END_HEADERS, END_STREAM, FRAME_HEAD, FRAME_MAX, HEADERS, writeFrameHead } from "./frames.ts";
import type { Output } from "./output.ts";
import { blockRoom, lengthToSay, writeBlock } from "./response-block.ts";

/** Of the answer that was written last: its HEADERS frame, and what its DATA frame carries. */
export let headBytes = 0;
export let bodyBytes = 0;

/** Returns how many bytes were written, or 0 when it is not simple; then nothing is marked as used. */
export function writeAnswer(
  output: Output,
  stream: number,
  response: Response,
  requestId: string | undefined,
  toHead: boolean,
  window: number,
): number {
  const body = responseBody(response);
  const status = responseStatus(response);
  // Neither a network error nor what leads out of HTTP.
  if (status < 200 || responseBodyUsed(response)) return 0;
  if (typeof body === "string" ? body.length * 3 > FRAME_MAX : body !== null && !(body instanceof Uint8Array)) return 0;
  const length = lengthToSay(response, toHead);
  const size = body === null || toHead || isBodiless(status) ? 0 : length;
  if (size > window || size > FRAME_MAX) return 0;
  const type = responseContentType(response);
  const fields = responseFields(response);
  const room = blockRoom(status, type, fields);
  if (room > FRAME_MAX) return 0;
  const out = output.reserve(room + size + 2 * FRAME_HEAD);
  const from = output.end;
  let end = writeBlock(out, output.beginBlock(out, from + FRAME_HEAD), status, type, fields, length, requestId);
  const flags = size === 0 ? END_HEADERS | END_STREAM : END_HEADERS;
  writeFrameHead(out, from, end - from - FRAME_HEAD, HEADERS, flags, stream);
  headBytes = end - from;
  bodyBytes = size;
  if (size > 0) {
    end = writeFrameHead(out, end, size, DATA, END_STREAM, stream);
    if (typeof body === "string") out.utf8Write(body, end);
    else out.set(body as Uint8Array, end);
    end += size;
  }
  markBodyUsed(response);
  output.end = end;
  return end - from;
}
