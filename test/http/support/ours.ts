/** Our parser and our chunked decoder, driven as a connection drives them, without one. */
import { ChunkedDecoder } from "../../../src/http/chunked.ts";
import { defaultLimits } from "../../../src/http/limits.ts";
import { COMPLETE, HeadParser, INCOMPLETE } from "../../../src/http/parser.ts";
import type { Message, Reading } from "./llhttp.ts";

const parser = new HeadParser(defaultLimits);

/** Reads a connection's bytes, cut at `cuts`. */
export function readWithOurs(bytes: Buffer, cuts: readonly number[] = []): Reading {
  const reading: Reading = { messages: [], end: "open", reason: "" };
  let message: Message | undefined;
  let left = 0;
  let decoder: ChunkedDecoder | undefined;
  let at = 0;
  for (const end of [...cuts, bytes.length]) {
    while (at < end && reading.end === "open") {
      if (message === undefined) {
        const result = parser.parse(bytes, at, end);
        if (result === INCOMPLETE) break;
        if (result !== COMPLETE) {
          reading.end = "refused";
          reading.reason = `${result} ${parser.reason}`;
          break;
        }
        message = {
          method: bytes.toString("latin1", parser.start, parser.methodEnd),
          target: bytes.toString("latin1", parser.targetStart, parser.targetEnd),
          version: `1.${parser.minor}`,
          fields: countLines(bytes, parser.fieldsStart, parser.end - 2),
          keepAlive: parser.keepAlive,
          body: "",
          complete: false,
        };
        reading.messages.push(message);
        left = Math.max(0, parser.contentLength);
        decoder = parser.chunked ? new ChunkedDecoder() : undefined;
        at = parser.end;
      } else if (decoder === undefined) {
        const to = Math.min(end, at + left);
        message.body += bytes.toString("latin1", at, to);
        left -= to - at;
        at = to;
      } else {
        const current = message;
        const to = decoder.decode(bytes, at, end, (from, until) => {
          current.body += bytes.toString("latin1", from, until);
          return true;
        });
        if (to < 0) {
          reading.end = "refused";
          reading.reason = "400 malformed chunked body";
          break;
        }
        at = to;
      }
      if (decoder === undefined ? left === 0 : decoder.done) {
        message.complete = true;
        if (!message.keepAlive) reading.end = "closed";
        message = undefined;
        decoder = undefined;
      }
    }
  }
  return reading;
}

function countLines(bytes: Buffer, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; count++) at = bytes.indexOf("\r\n", at, "latin1") + 2;
  return count;
}
