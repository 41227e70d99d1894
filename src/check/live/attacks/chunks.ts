/** Chunked bodies whose chunks can be read in two ways (RFC 9112, 7.1). */
import type { Attack } from "../attack.ts";
import { type FramingCase, framingAttack, type Want } from "./framing-case.ts";

function chunks(id: string, name: string, body: string | FramingCase["bytes"], want: Want = "body"): FramingCase {
  return {
    id: `chunk-${id}`,
    name,
    rule: "RFC 9112, 7.1",
    want,
    bytes: (r) => r.post(["Transfer-Encoding: chunked"], typeof body === "string" ? body : body(r)),
  };
}

const cases: readonly FramingCase[] = [
  chunks("valid", "chunks with extensions and a trailer", '5;a=b;c="d"\r\nhello\r\n0\r\nX-Trailer: y\r\n\r\n', "legal"),
  chunks("zeros", "a chunk size with leading zeros", "00005\r\nhello\r\n0\r\n\r\n", "legal"),
  chunks("hex", "a chunk size 0x5", "0x5\r\nhello\r\n0\r\n\r\n"),
  chunks("plus", "a chunk size +5", "+5\r\nhello\r\n0\r\n\r\n"),
  chunks("minus", "a chunk size -5", "-5\r\nhello\r\n0\r\n\r\n"),
  chunks("underscore", "a chunk size 1_0", "1_0\r\nhellohellohelloh\r\n0\r\n\r\n"),
  chunks("empty", "a chunk without a size", "\r\nhello\r\n0\r\n\r\n"),
  chunks("space-first", "a space before the chunk size", " 5\r\nhello\r\n0\r\n\r\n"),
  chunks("letters", "a chunk size 5g", "5g\r\nhello\r\n0\r\n\r\n"),
  // 2^64 + 5 in hexadecimal: five for a parser that overflows.
  chunks("overflow", "a chunk size beyond 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
  chunks("lf-size", "a chunk size that ends in LF alone", "5\nhello\r\n0\r\n\r\n"),
  chunks("lf-data", "chunk data that ends in LF alone", "5\r\nhello\n0\r\n\r\n"),
  chunks("lf-end", "a last chunk that ends in LF alone", "5\r\nhello\r\n0\n\n", "lenient"),
  chunks("cr-size", "a chunk size that ends in CR alone", "5\rhello\r\n0\r\n\r\n"),
  chunks("long-data", "more data than the chunk size says", "5\r\nhelloXX\r\n0\r\n\r\n"),
  chunks("no-crlf", "no CRLF behind the data", "5\r\nhello0\r\n\r\n"),
  // "Funky chunks": the LF in the extension ends the line for one parser and not for the other.
  chunks("extension-lf", "LF alone in a chunk extension", (r) => {
    const hidden = `0\r\n\r\n${r.smuggled}`;
    return `5;a\nhello\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
  }),
  chunks("extension-nul", "NUL in a chunk extension", "5;a=\0\r\nhello\r\n0\r\n\r\n", "lenient"),
  chunks("trailer-space", "a space before a trailer's colon", "5\r\nhello\r\n0\r\nX : y\r\n\r\n"),
];

export const chunkAttacks: readonly Attack[] = cases.map(framingAttack);
