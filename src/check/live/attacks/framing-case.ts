/**
 * How a framing attack is judged. Behind its bytes goes an ordinary request with `Connection: close`, the canary: how
 * many requests were served tells where the server thinks that the attack ended, which is all that smuggling is about.
 */
import {
  type Attack,
  type Context,
  describe,
  exchange,
  fail,
  isRefusal,
  type Outcome,
  pass,
  type Seen,
  warn,
} from "../attack.ts";

/**
 * refuse: must be refused, and nothing behind it read. close: may be processed, but the connection must end there.
 * body: the handler may have answered before the fault came, but nothing behind it may be read. lenient: may be
 * accepted by the letter; two parties could read it differently. legal: valid, must be served as one request.
 */
export type Want = "refuse" | "close" | "body" | "lenient" | "legal";

const wanted: Readonly<Record<Want, string>> = {
  refuse: "an error status (400, or the one named), then close",
  close: "400, or one answer and then close",
  body: "an error status, or the answer that came early; then close",
  lenient: "400 (accepting it is allowed, and risky)",
  legal: "served as one request, and the next one too",
};

export interface FramingCase {
  readonly id: string;
  readonly name: string;
  readonly rule: string;
  readonly want: Want;
  /** The attack; the canary is put behind it. */
  readonly bytes: (request: Request) => string;
}

/** What cases are made of. */
export interface Request {
  readonly host: string;
  readonly path: string;
  /** "POST /path HTTP/1.1\r\nHost: …\r\n" + the given field lines + the empty line, and the body. */
  post(fields: readonly string[], body?: string): string;
  get(fields: readonly string[], body?: string): string;
  /** A whole request that nobody sent, if the server reads the attack rightly. */
  readonly smuggled: string;
}

/** No server on loopback thinks longer over a few hundred bytes; one that waits for more is seen as waiting. */
const PATIENCE_MS = 3_000;

export function framingAttack({ id, name, rule, want, bytes }: FramingCase): Attack {
  const sample = bytes(requestsTo("localhost", "/", "/", "POST"));
  return {
    id: `framing/${id}`,
    family: "framing",
    name,
    rule,
    sent: showBytes(sample),
    want: wanted[want],
    pace: "brisk",
    quick: true,
    async run(context) {
      const data = bytes(requestsTo(context.host, context.path, context.uploadPath, context.baseline.bodyMethod));
      return judge(want, await exchange(context, data + canary(context), PATIENCE_MS));
    },
  };
}

function canary({ path, host }: Context): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Canary: 1\r\nConnection: close\r\n\r\n`;
}

function requestsTo(host: string, path: string, upload: string, method: string): Request {
  const make = (line: string, fields: readonly string[], body: string): string =>
    `${line}\r\nHost: ${host}\r\n${fields.map((text) => `${text}\r\n`).join("")}\r\n${body}`;
  return {
    host,
    path,
    post: (fields, body = "") => make(`${method} ${upload} HTTP/1.1`, fields, body),
    get: (fields, body = "") => make(`GET ${path} HTTP/1.1`, fields, body),
    smuggled: `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Smuggled: 1\r\n\r\n`,
  };
}

/** Exported for its test. */
export function judge(want: Want, seen: Seen): Outcome {
  const came = describe(seen);
  const served = seen.answers.filter((answer) => !isRefusal(answer)).length;
  const refused = seen.answers.findIndex(isRefusal);
  const over = seen.end !== undefined;
  if (want === "legal") {
    if (served === 2 && refused < 0) return pass(came);
    if (served > 2) return fail(`${came}: ${served} requests were read where two were sent`);
    return refused === 0 ? warn(`${came}: valid, and refused`) : fail(`${came}: two requests were sent`);
  }
  if (want === "lenient") {
    if (served > 2) return fail(`${came}: ${served} requests were read where two were sent`);
    if (refused === 0) return served === 0 ? pass(came) : fail(`${came}: it went on reading behind what it refused`);
    if (served === 0) return over ? warn(`${came}: refused without a word`) : fail(`${came}: it waits for more`);
    return warn(`${came}: accepted`);
  }
  if (refused === 0) {
    return served === 0 ? pass(came) : fail(`${came}: it went on reading behind what it refused`);
  }
  if (served === 0) return over ? warn(`${came}: refused without a word`) : fail(`${came}: it waits for more`);
  if (want === "refuse") return fail(`${came}: served`);
  if (served > 1) return fail(`${came}: accepted, and what stands behind it served`);
  if (want === "close") {
    return over ? warn(`${came}: processed, then closed`) : fail(`${came}: processed, and not closed`);
  }
  return over ? pass(came) : warn(`${came}: answered, and waits for more`);
}

/** Bytes in one line: CR LF as ⏎, other controls as escapes. */
export function showBytes(text: string): string {
  const line = text
    .replace(/\r\n/g, "⏎")
    .replace(/[\x00-\x1f\x7f-\xff]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return line.length > 150 ? `${line.slice(0, 120)}… (${text.length} bytes)` : line;
}
