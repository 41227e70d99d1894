/**
 * What `fetch` fails with: a TypeError, as the standard has it, whose message is one sentence for a person and whose
 * cause is one of Deno's error classes for a program.
 */
import { ConnectionReset, InvalidData, TimedOut, UnexpectedEof } from "../runtime/errors.ts";

/** `why` and where; without the query, which may hold what is nobody's business. */
export function fetchFailed(url: string, why: string, cause?: unknown): TypeError {
  return new TypeError(`fetch failed: ${why}: ${url.split("?", 1)[0]}`, cause === undefined ? undefined : { cause });
}

export function malformed(url: string, why: string): TypeError {
  return fetchFailed(url, `the server's response is malformed, ${why}`, new InvalidData(why));
}

export function timedOut(url: string, why: string): TypeError {
  return fetchFailed(url, why, new TimedOut(why));
}

export function closedEarly(url: string): TypeError {
  const why = "the server closed the connection before it answered";
  return fetchFailed(url, why, new ConnectionReset(why));
}

export function cutShort(url: string): TypeError {
  const why = "the server closed the connection before the response's body was complete";
  return fetchFailed(url, why, new UnexpectedEof(why));
}
