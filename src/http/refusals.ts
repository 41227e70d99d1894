/** What is refused before it gets to the handler: the answer, the limit that it met, and the line in the log. */
import type { LimitName } from "./counters.ts";

export interface Refusal {
  readonly status: number;
  /** The answer's body: plain text, for the client. */
  readonly reason: string;
  readonly limit: LimitName;
  /** For the log: what the client did. */
  readonly what: string;
}

/** The parser's reason for the one 431 that is no question of bytes. */
const TOO_MANY_FIELDS = "too many header fields";

/** A head that the parser refused. */
export function headRefused(status: number, reason: string): Refusal {
  if (status !== 431) {
    const what = `sent a request that was refused with ${status}: ${reason}`;
    return { status, reason, limit: "malformedRequest", what };
  }
  return reason === TOO_MANY_FIELDS
    ? { status, reason, limit: "maxHeaderCount", what: `sent a head with ${reason}` }
    : { status, reason, limit: "maxHeaderBytes", what: "sent a head that is too large" };
}

/** A body that announces more than it may have. */
export function bodyRefused(limit: number): Refusal {
  return {
    status: 413,
    reason: `the request's body is larger than ${limit} bytes`,
    limit: "maxBodyBytes",
    what: `announced a body of more than ${limit} bytes`,
  };
}
