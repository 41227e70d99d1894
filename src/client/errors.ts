/**
 * What `fetch` fails with: a TypeError whose message is "fetch failed" and no more, since that is what libraries compare
 * with to know a failure of the network (Deno's and Node's own words), and whose cause is one of Deno's error classes with
 * a sentence for a person, in Deno's words and ours.
 */
import { ConnectionReset, errors, InvalidData, TimedOut, UnexpectedEof } from "../runtime/errors.ts";

type ErrorClass = new (message: string, options?: ErrorOptions) => Error & { code?: string };

const ours: ReadonlySet<unknown> = new Set(Object.values(errors));
/** What stopped a call: `why`, without Deno's words and the URL around it. */
const reasons = new WeakMap<Error, string>();

/** For who names the server in another way. */
export function reasonOf(error: unknown): string {
  const reason = error instanceof Error ? reasons.get(error) : undefined;
  return reason ?? String((error as Error | null)?.message ?? error);
}

/** Before the response: `why`, where, and what it comes from. */
export function fetchFailed(url: string, why: string, cause?: unknown, stage = "SendRequest"): TypeError {
  return failed("fetch failed", inDenosWords(url, stage, why), why, classOf(cause), cause);
}

/** No connection came about. */
export function connectFailed(url: string, cause: Error): TypeError {
  return fetchFailed(url, cause.message, cause, "Connect");
}

/** By the call's own wish, in Deno's words. */
export function redirectRefused(url: string, why: string): TypeError {
  return new TypeError(why, { cause: new Error(`${why}: ${shown(url)}`) });
}

/** The request's body is the program's, and so is the error. */
export function uploadFailed(cause: unknown): TypeError {
  return new TypeError("fetch failed", { cause });
}

/** In the response's body. */
export function bodyFailed(url: string, why: string, cause?: unknown, Class = classOf(cause)): TypeError {
  return failed("error reading a body from connection", `${why}: ${shown(url)}`, why, Class, cause);
}

export function malformed(url: string, why: string): TypeError {
  const what = `the server's response is malformed, ${why}`;
  return failed("fetch failed", inDenosWords(url, "SendRequest", what), what, InvalidData);
}

export function bodyMalformed(url: string, why: string): TypeError {
  return bodyFailed(url, `the server's response is malformed, ${why}`, undefined, InvalidData);
}

export function timedOut(url: string, why: string): TypeError {
  return failed("fetch failed", inDenosWords(url, "SendRequest", why), why, TimedOut);
}

export function bodyTimedOut(url: string, why: string): TypeError {
  return bodyFailed(url, why, undefined, TimedOut);
}

export function closedEarly(url: string): TypeError {
  const why = "the server closed the connection before it answered";
  return failed("fetch failed", inDenosWords(url, "SendRequest", why), why, ConnectionReset);
}

export function cutShort(url: string): TypeError {
  const why = "the server closed the connection before the response's body was complete";
  return bodyFailed(url, why, undefined, UnexpectedEof);
}

function failed(message: string, text: string, why: string, Class: ErrorClass, cause?: unknown): TypeError {
  // The sentence of what is one of ours is in this one.
  const inner = ours.has((cause as Error | undefined)?.constructor) ? (cause as Error).cause : cause;
  const told = new Class(text, inner === undefined ? undefined : { cause: inner });
  const code = (cause as { code?: unknown } | undefined)?.code;
  // By which programs of Node know it.
  if (typeof code === "string") told.code = code;
  const error = new TypeError(message, { cause: told });
  reasons.set(error, why);
  return error;
}

function classOf(cause: unknown): ErrorClass {
  const Class = (cause as Error | null | undefined)?.constructor;
  return ours.has(Class) ? (Class as ErrorClass) : Error;
}

function inDenosWords(url: string, stage: string, why: string): string {
  return `error sending request for url (${shown(url)}): client error (${stage}): ${why}`;
}

/** Without the query, which may hold what is nobody's business. */
function shown(url: string): string {
  return url.split("?", 1)[0];
}
