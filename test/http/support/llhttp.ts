/** llhttp, strict, as node:http has it: the other opinion on where requests begin and end. */
import { METHODS } from "node:http";
import { createRequire } from "node:module";

/** What a parser makes of a connection's bytes. */
export interface Reading {
  readonly messages: Message[];
  /** How it ended: wants more, refused, or the last message was the last of the connection. */
  end: "open" | "refused" | "closed";
  /** For a refusal: why. */
  reason: string;
  /** llhttp alone: a request asked for an upgrade; Node tells no errors of what follows it. */
  upgrades?: true;
}

export interface Message {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly fields: number;
  readonly keepAlive: boolean;
  body: string;
  complete: boolean;
}

interface Parser {
  [callback: number]: unknown;
  initialize(type: number, resource: object, maxHeaderSize: number, lenient: number): void;
  execute(bytes: Uint8Array): number | Error;
  close(): void;
}
interface ParserClass {
  new (): Parser;
  readonly REQUEST: number;
  readonly kOnMessageBegin: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

const common: { HTTPParser: ParserClass } = createRequire(import.meta.url)("_http_common");
const { HTTPParser } = common;

/** llhttp's numbers of methods, found out by asking it. */
const methods = new Map<number, string>();

let reading: Reading;
/** Fields and a target that the parser handed over before the head was complete. */
let early = 0;
let earlyTarget = "";

const parser = new HTTPParser();
parser[HTTPParser.kOnHeaders] = (headers: string[], url: string) => {
  early += headers.length / 2;
  earlyTarget += url;
};
parser[HTTPParser.kOnHeadersComplete] = (
  major: number,
  minor: number,
  headers: string[] | undefined,
  method: number,
  url: string | undefined,
  _status: unknown,
  _text: unknown,
  upgrade: boolean,
  keepAlive: boolean,
) => {
  reading.messages.push({
    method: methods.get(method) ?? String(method),
    target: url ?? earlyTarget,
    version: `${major}.${minor}`,
    fields: (headers?.length ?? 0) / 2 + early,
    keepAlive,
    body: "",
    complete: false,
  });
  early = 0;
  earlyTarget = "";
  if (upgrade) reading.upgrades = true;
  return 0;
};
parser[HTTPParser.kOnBody] = (bytes: Buffer) => {
  const message = reading.messages.at(-1);
  if (message !== undefined) message.body += bytes.toString("latin1");
};
parser[HTTPParser.kOnMessageComplete] = () => {
  const message = reading.messages.at(-1);
  if (message !== undefined) message.complete = true;
  // Trailers came through kOnHeaders.
  early = 0;
  earlyTarget = "";
};

for (const method of METHODS) {
  const { messages } = readWithLlhttp(Buffer.from(`${method} * HTTP/1.1\r\nHost: a\r\n\r\n`));
  if (messages.length > 0) methods.set(Number(messages[0].method), method);
}

/** Reads a connection's bytes, cut at `cuts`. */
export function readWithLlhttp(bytes: Buffer, cuts: readonly number[] = []): Reading {
  reading = { messages: [], end: "open", reason: "" };
  early = 0;
  earlyTarget = "";
  parser.initialize(HTTPParser.REQUEST, {}, 1 << 20, 0);
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    let result = parser.execute(bytes.subarray(from, to));
    // It stops behind a request to upgrade; a server that does not want to goes on (RFC 9110, 7.8).
    for (let stops = 0; typeof result === "number" && result < to - from && stops < 20; stops++) {
      from += result;
      result = parser.execute(bytes.subarray(from, to));
    }
    from = to;
    if (typeof result === "number") continue;
    reading.reason = String((result as Error & { code: string }).code);
    // Whatever follows the last message of a connection is an error to llhttp, and nothing to us.
    const last = reading.messages.at(-1);
    reading.end = last?.complete && !last.keepAlive ? "closed" : "refused";
    break;
  }
  const last = reading.messages.at(-1);
  if (reading.end === "open" && last?.complete && !last.keepAlive) reading.end = "closed";
  return reading;
}
