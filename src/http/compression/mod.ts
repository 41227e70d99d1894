/**
 * Compresses what a handler answers (RFC 9110, 8.4), for clients that say they can read it. Off unless asked for: it
 * costs CPU, and a secret beside what an attacker can choose leaks through the length of the answer (BREACH;
 * docs/compression.md). It stands around the handler, so that whoever does without pays nothing, and every version of HTTP
 * has it alike.
 */
import {
  encodedResponse,
  HeadFields,
  incomingOf,
  isLightResponse,
  markBodyUsed,
  responseBody,
  responseBodyUsed,
  responseContentType,
  responseFields,
  responseStatus,
} from "../../fetch/mod.ts";
import { fileBehind } from "../../runtime/file-source.ts";
import { lightResponse } from "../sendable.ts";
import type { Handler } from "../service.ts";
import { CODINGS, type Coding, choose } from "./accept-encoding.ts";
import { compressionCounters } from "./counters.ts";
import { encodedStream } from "./encoded-stream.ts";
import { encodeNow, reserve } from "./encoders.ts";
import { piecesOf } from "./pieces.ts";
import { describe, encodedFields, hasWholeContent, SMALLEST, shrinks, variedFields } from "./worth.ts";

/** Whole bodies up to here are compressed at once; larger ones would hold up everybody, and go through a stream. */
const AT_ONCE = 32 * 1024;

/** What is compressed, and how. */
export interface CompressionRules {
  /** Of bodies whose length is known, those from here on. */
  readonly smallest: number;
  /** What is liked better first. */
  readonly codings: readonly Coding[];
}

const OURS: CompressionRules = { smallest: SMALLEST, codings: CODINGS };

export function compressing(handler: Handler, rules: CompressionRules = OURS): Handler {
  return (request, info) => {
    const answer: unknown = handler(request, info);
    if (isLightResponse(answer)) return compressed(request, answer, rules);
    // Whatever else it is, also what is no Response at all: the server has a word for it.
    return Promise.resolve(answer as Response).then((response) => compressed(request, response, rules));
  };
}

function compressed(request: Request, answer: Response, rules: CompressionRules): Response {
  let response: Response;
  try {
    response = lightResponse(answer);
  } catch {
    return answer;
  }
  const status = responseStatus(response);
  const fields = responseFields(response);
  const body = responseBody(response);
  const toHead = request.method === "HEAD";
  if (!hasWholeContent(status)) {
    // RFC 9110, 15.4.5: with a 304 goes the Vary of the 200 that it stands for, whose type is not known here.
    return status === 304 ? varied(response) : response;
  }
  if (body === null && !toHead) return response;
  const described = describe(responseContentType(response), fields);
  if (described?.type == null) return response;
  const length = body === null ? described.length : sizeOf(body, described.length);
  const small = length >= 0 && length < rules.smallest;
  const { coding, must } = choose(acceptEncoding(request), rules.codings);
  if (!must && (small || !shrinks(described.type))) return response;
  if (body === null && length < 0) return response;
  if (coding === undefined) return varied(response);
  if (toHead) {
    if (body instanceof ReadableStream) body.cancel().catch(() => {});
    markBodyUsed(response);
    // A stream, since its length is not known before it is compressed: then none is said (RFC 9110, 8.6).
    return encodedResponse(response, encodedFields(fields, coding), new ReadableStream());
  }
  return encoded(response, fields, body as NonNullable<typeof body>, coding, must);
}

function encoded(
  response: Response,
  fields: readonly string[] | null,
  body: string | Uint8Array | Blob | ReadableStream<Uint8Array>,
  coding: Coding,
  must: boolean,
): Response {
  const whole = typeof body === "string" || body instanceof Uint8Array;
  if (whole && (typeof body === "string" ? body.length * 3 <= AT_ONCE * 2 : body.length <= AT_ONCE)) {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const shrunk = encodeNow(coding, bytes);
    // Random letters, for one.
    if (shrunk.length >= bytes.length && !must) return varied(response);
    compressionCounters.began(coding);
    compressionCounters.before += bytes.length;
    compressionCounters.after += shrunk.length;
    markBodyUsed(response);
    return encodedResponse(response, encodedFields(fields, coding), shrunk);
  }
  const release = reserve(coding);
  if (release === undefined) return varied(response);
  compressionCounters.began(coding);
  markBodyUsed(response);
  const stream = whole ? piecesOf(body) : body instanceof Blob ? body.stream() : body;
  return encodedResponse(response, encodedFields(fields, coding), encodedStream(stream, coding, release));
}

function varied(response: Response): Response {
  if (responseBodyUsed(response)) return response;
  const body = responseBody(response);
  const fields = variedFields(responseFields(response));
  markBodyUsed(response);
  return encodedResponse(response, fields, body);
}

/** -1 where only its end will tell. */
function sizeOf(body: string | Uint8Array | Blob | ReadableStream<Uint8Array>, announced: number): number {
  // Characters do for the question whether it is small.
  if (typeof body === "string" || body instanceof Uint8Array) return body.length;
  if (body instanceof Blob) return body.size;
  if (announced >= 0) return announced;
  const file = fileBehind(body);
  if (file === undefined) return -1;
  const left = file.kind === "disk" ? file.left() : (file.left()?.length ?? 0);
  // What says that it is empty may be of those that are made as they are read (/proc).
  return left > 0 ? left : -1;
}

function acceptEncoding(request: Request): string | null {
  const incoming = incomingOf(request);
  if (incoming === undefined || incoming === null) return request.headers.get("accept-encoding");
  return new HeadFields(incoming.head, incoming.fieldsStart).get("accept-encoding");
}
