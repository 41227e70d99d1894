/** More of everything than anybody needs: heads, fields, targets, bodies, and what chunks can be padded with. */
import {
  type Attack,
  type Context,
  describe,
  exchange,
  fail,
  isRefusal,
  type Outcome,
  pass,
  pause,
  type Seen,
  seen,
  showMiB,
  skip,
  warn,
} from "../attack.ts";
import type { Wire } from "../wire.ts";

const MIB = 2 ** 20;
const PATIENCE_MS = 5_000;

type Judge = (outcome: Seen) => Outcome;

/** Refused with a status is best; cut off without one is bounded all the same. */
const refusedOrCut: Judge = (result) => {
  const came = describe(result);
  if (result.answers.length > 0 && isRefusal(result.answers[0])) return pass(came);
  if (result.answers.length > 0) return fail(`${came}: accepted`);
  return result.end === undefined ? fail(`${came}: it waits for more`) : warn(`${came}: cut without a word`);
};

function head(
  id: string,
  name: string,
  rule: string,
  sent: string,
  bytes: (c: Context) => string,
  judge: Judge,
): Attack {
  return {
    id: `limits/${id}`,
    family: "limits",
    name,
    rule,
    sent,
    want: "an error status, then close",
    pace: "brisk",
    quick: true,
    run: async (context) => judge(await exchange(context, bytes(context), PATIENCE_MS)),
  };
}

const heads: readonly Attack[] = [
  head(
    "header-bytes",
    "2 MiB of header fields",
    "RFC 6585, 5 (431)",
    "GET / with 32 fields of 64 KiB",
    ({ path, host }) => {
      const fields = Array.from({ length: 32 }, (_, i) => `X-${i}: ${"a".repeat(65_536)}\r\n`);
      return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${fields.join("")}\r\n`;
    },
    refusedOrCut,
  ),
  head(
    "header-line",
    "one header field of 2 MiB",
    "RFC 6585, 5 (431)",
    "GET / with X: and 2 MiB",
    ({ path, host }) =>
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nX: ${"a".repeat(2 * MIB)}\r\n\r\n`,
    refusedOrCut,
  ),
  head(
    "header-count",
    "10,000 header fields",
    "RFC 6585, 5 (431)",
    "GET / with 10,000 fields of 8 bytes",
    ({ path, host }) =>
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${"X-a: b\r\n".repeat(10_000)}\r\n`,
    (result) => {
      const first = result.answers[0];
      // Within a bound of bytes that is no harm by itself.
      return first !== undefined && !isRefusal(first) ? warn(`${describe(result)}: accepted`) : refusedOrCut(result);
    },
  ),
  head(
    "target",
    "a request target of 2 MiB",
    "RFC 9110, 15.5.15 (414)",
    "GET /aaa… of 2 MiB",
    ({ host }) => `GET /${"a".repeat(2 * MIB)} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    refusedOrCut,
  ),
  head(
    "target-8000",
    "a request line of 8,000 bytes is served",
    "RFC 9112, 3",
    "GET /?aaa… of 8,000 bytes",
    ({ path, host }) => {
      const target = `${path}${path.includes("?") ? "&" : "?"}${"a".repeat(8000 - path.length - 15)}`;
      return `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    },
    (result) => {
      const first = result.answers[0];
      return first !== undefined && !isRefusal(first) ? pass(describe(result)) : warn(describe(result));
    },
  ),
  head(
    "empty-lines",
    "1 MiB of empty lines before a request",
    "RFC 9112, 2.2",
    "CR LF, 524,288 times",
    () => "\r\n".repeat(MIB / 2),
    (result) => {
      // What is thrown away costs no memory: the clock of the head has to end it.
      const { answers, end } = result;
      return answers.length === 0 && end === undefined
        ? warn(`${describe(result)}: it reads on`)
        : refusedOrCut(result);
    },
  ),
];

const hugeLength: Attack = {
  id: "limits/announced-length",
  family: "limits",
  name: "a body of 1 TiB announced",
  rule: "RFC 9110, 15.5.14 (413)",
  sent: "POST / with Content-Length: 1099511627776 and nothing of it",
  want: "413 before anything of it is read, then close",
  pace: "brisk",
  quick: true,
  async run(context) {
    const result = await exchange(context, post(context, `Content-Length: ${2 ** 40}`), PATIENCE_MS);
    const came = describe(result);
    const first = result.answers[0];
    if (first?.status === 413) return pass(came);
    if (result.end !== undefined) return first !== undefined ? pass(came) : warn(`${came}: cut without a word`);
    return fail(first === undefined ? `${came}: it waits for all of it` : `${came}: it reads on`);
  },
};

/** What bodies are tried up to: more than the largest default among servers with one (128 MiB). */
const BODY = 144 * MIB;

/** Sends pieces until the server ends it, stops reading, or has taken all `most` bytes. */
async function pour(wire: Wire, context: Context, piece: Uint8Array, most: number): Promise<string | undefined> {
  let sent = 0;
  while (sent < most) {
    const writing = wire.send(piece);
    const result = await Promise.race([writing, pause(PATIENCE_MS, context.signal).then(() => "stuck" as const)]);
    if (result === "stuck") return `it stopped reading after ${showMiB(sent)}`;
    if (!result || wire.end !== undefined) return `${describe(seen(wire))}, after ${showMiB(sent)}`;
    sent += piece.length;
  }
  return undefined;
}

function poured(id: string, name: string, rule: string, sent: string, most: number, parts: Parts): Attack {
  return {
    id: `limits/${id}`,
    family: "limits",
    name,
    rule,
    sent,
    want: "413 or 400, or it stops reading",
    pace: "brisk",
    quick: true,
    async run(context) {
      using wire = (await context.wires.open()).read();
      await wire.send(post(context, parts.framing) + parts.first);
      const stopped = await pour(wire, context, Buffer.from(parts.piece, "latin1"), most);
      if (context.signal.aborted) return skip("the check ended before it was known");
      if (stopped !== undefined) return pass(stopped);
      await wire.send(parts.last);
      await wire.until(() => seen(wire).answers.length > 0, PATIENCE_MS);
      const result = seen(wire);
      const came = `${describe(result)}, after ${showMiB(most)}`;
      const first = result.answers[0];
      return first !== undefined && isRefusal(first) ? pass(came) : fail(`${came}: it took all of it`);
    },
  };
}

interface Parts {
  readonly framing: string;
  readonly first: string;
  readonly piece: string;
  readonly last: string;
}

const pieces = "a".repeat(MIB);

const bodies: readonly Attack[] = [
  poured("chunked-body", "a chunked body of 144 MiB", "RFC 9110, 15.5.14 (413)", "POST / in chunks of 1 MiB", BODY, {
    framing: "Transfer-Encoding: chunked",
    first: "",
    piece: `100000\r\n${pieces}\r\n`,
    last: "0\r\n\r\n",
  }),
  poured(
    "chunk-extension",
    "a chunk extension of 16 MiB",
    "RFC 9112, 7.1.1",
    "POST / with a chunk size, and 16 MiB of extension",
    16 * MIB,
    { framing: "Transfer-Encoding: chunked", first: "5;a=", piece: pieces, last: "\r\nhello\r\n0\r\n\r\n" },
  ),
  poured(
    "trailers",
    "16 MiB of trailer fields",
    "RFC 9112, 7.1.2",
    "POST / with a last chunk, and 16 MiB of trailers",
    16 * MIB,
    { framing: "Transfer-Encoding: chunked", first: "0\r\n", piece: `X: ${pieces}\r\n`, last: "\r\n" },
  ),
];

function post({ uploadPath, host, baseline }: Context, framing: string): string {
  return `${baseline.bodyMethod} ${uploadPath} HTTP/1.1\r\nHost: ${host}\r\n${framing}\r\n\r\n`;
}

export const limits: readonly Attack[] = [...heads, hugeLength, ...bodies];
