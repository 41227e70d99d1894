/** Heads that two parties could read differently: request smuggling begins with them. */
import type { Attack } from "../attack.ts";
import { type FramingCase, framingAttack, type Want } from "./framing-case.ts";

const both: readonly FramingCase[] = [
  {
    id: "cl-te",
    name: "Content-Length beside Transfer-Encoding (CL.TE)",
    rule: "RFC 9112, 6.1 and 6.3",
    want: "close",
    bytes: (r) => r.post(["Content-Length: 6", "Transfer-Encoding: chunked"], "0\r\n\r\nX"),
  },
  {
    id: "te-cl",
    name: "Transfer-Encoding beside Content-Length (TE.CL)",
    rule: "RFC 9112, 6.1 and 6.3",
    want: "close",
    bytes: (r) =>
      r.post(
        ["Transfer-Encoding: chunked", "Content-Length: 4"],
        `${r.smuggled.length.toString(16)}\r\n${r.smuggled}\r\n0\r\n\r\n`,
      ),
  },
  {
    id: "te-http-1.0",
    name: "Transfer-Encoding in HTTP/1.0",
    rule: "RFC 9112, 6.1",
    want: "close",
    bytes: (r) =>
      r.post(["Connection: keep-alive", "Transfer-Encoding: chunked"], "0\r\n\r\n").replace("HTTP/1.1", "HTTP/1.0"),
  },
];

/** A request of one Content-Length field, or several, with a body of 5. */
function length(id: string, name: string, fields: readonly string[], want: Want = "refuse"): FramingCase {
  return { id: `cl-${id}`, name, rule: "RFC 9112, 6.3", want, bytes: (r) => r.post(fields, "hello") };
}

const lengths: readonly FramingCase[] = [
  {
    id: "cl-cl",
    name: "two Content-Lengths that differ (CL.CL)",
    rule: "RFC 9112, 6.3",
    want: "refuse",
    bytes: (r) => r.post(["Content-Length: 0", `Content-Length: ${r.smuggled.length}`], r.smuggled),
  },
  length("list", "Content-Length: 5, 6", ["Content-Length: 5, 6"]),
  length("repeated", "the same Content-Length twice", ["Content-Length: 5", "Content-Length: 5"], "lenient"),
  length("plus", "Content-Length: +5", ["Content-Length: +5"]),
  length("minus", "Content-Length: -5", ["Content-Length: -5"]),
  length("hex", "Content-Length: 0x5", ["Content-Length: 0x5"]),
  length("tail", "Content-Length: 5abc", ["Content-Length: 5abc"]),
  length("space", "Content-Length: 5 5", ["Content-Length: 5 5"]),
  length("empty", "Content-Length without a value", ["Content-Length:"]),
  // 2^64 + 5: five for a parser that overflows.
  length("overflow", "Content-Length beyond 64 bits", ["Content-Length: 18446744073709551621"]),
  length("vertical-tab", "Content-Length with a vertical tab", ["Content-Length: \x0b5"]),
];

/** A request whose transfer coding is `value`, with a chunked body. */
function coding(id: string, name: string, fields: readonly string[], want: Want = "refuse"): FramingCase {
  return {
    id: `te-${id}`,
    name,
    rule: "RFC 9112, 6.1 and 6.3",
    want,
    bytes: (r) => r.post(fields, "5\r\nhello\r\n0\r\n\r\n"),
  };
}

const codings: readonly FramingCase[] = [
  coding("xchunked", "Transfer-Encoding: xchunked", ["Transfer-Encoding: xchunked"]),
  coding("identity", "Transfer-Encoding: identity", ["Transfer-Encoding: identity"]),
  coding("chunked-identity", "Transfer-Encoding: chunked, identity", ["Transfer-Encoding: chunked, identity"]),
  coding("repeated", "Transfer-Encoding: chunked, chunked", ["Transfer-Encoding: chunked, chunked"]),
  coding("twice", "two Transfer-Encoding fields", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
  coding("twice-other", "Transfer-Encoding: chunked, then one of x", [
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: x",
  ]),
  coding("quoted", 'Transfer-Encoding: "chunked"', ['Transfer-Encoding: "chunked"']),
  coding("vertical-tab", "Transfer-Encoding with a vertical tab", ["Transfer-Encoding: \x0bchunked"]),
  coding("parameter", "Transfer-Encoding: chunked;q=1", ["Transfer-Encoding: chunked;q=1"], "lenient"),
  coding("empty", "Transfer-Encoding without a value", ["Transfer-Encoding:"]),
  coding("gzip", "Transfer-Encoding: gzip, chunked (501)", ["Transfer-Encoding: gzip, chunked"], "lenient"),
  coding("spaces", "Transfer-Encoding:   chunked", ["Transfer-Encoding:   chunked"], "legal"),
  coding("tab", "Transfer-Encoding:<tab>chunked", ["Transfer-Encoding:\tchunked"], "legal"),
  coding("upper-case", "TRANSFER-ENCODING: CHUNKED", ["TRANSFER-ENCODING: CHUNKED"], "legal"),
  {
    id: "te-underscore",
    name: "Transfer_Encoding beside Content-Length: another name",
    rule: "RFC 9110, 5.1",
    want: "legal",
    bytes: (r) => r.post(["Transfer_Encoding: chunked", "Content-Length: 5"], "0\r\n\r\n"),
  },
];

const lines: readonly FramingCase[] = [
  {
    id: "space-before-colon",
    name: "space before the colon",
    rule: "RFC 9112, 5.1",
    want: "refuse",
    bytes: (r) => r.post(["Transfer-Encoding : chunked"], "0\r\n\r\n"),
  },
  {
    id: "space-before-first-field",
    name: "space before the first field",
    rule: "RFC 9112, 2.2",
    want: "lenient",
    bytes: (r) => `GET ${r.path} HTTP/1.1\r\n X: y\r\nHost: ${r.host}\r\n\r\n`,
  },
  {
    id: "obs-fold",
    name: "a folded field line",
    rule: "RFC 9112, 5.2",
    want: "lenient",
    bytes: (r) => r.get(["X-Folded: a", " b"]),
  },
  {
    id: "obs-fold-te",
    name: "a folded Transfer-Encoding",
    rule: "RFC 9112, 5.2",
    want: "lenient",
    bytes: (r) => r.post(["Transfer-Encoding:", " chunked"], "0\r\n\r\n"),
  },
  {
    id: "bare-lf",
    name: "lines that end in LF alone",
    rule: "RFC 9112, 2.2",
    want: "lenient",
    bytes: (r) => `GET ${r.path} HTTP/1.1\nHost: ${r.host}\n\n`,
  },
  {
    id: "bare-lf-field",
    name: "one field line that ends in LF alone",
    rule: "RFC 9112, 2.2",
    want: "lenient",
    bytes: (r) => `POST ${r.path} HTTP/1.1\r\nHost: ${r.host}\r\nX: y\nContent-Length: 5\r\n\r\nhello`,
  },
  {
    id: "bare-cr",
    name: "CR alone inside a value",
    rule: "RFC 9112, 2.2",
    want: "lenient",
    bytes: (r) => r.get(["X-Value: a\rTransfer-Encoding: chunked"]),
  },
  { id: "nul", name: "NUL in a value", rule: "RFC 9110, 5.5", want: "lenient", bytes: (r) => r.get(["X-Value: a\0b"]) },
  {
    id: "nul-name",
    name: "NUL in a field name",
    rule: "RFC 9110, 5.1",
    want: "refuse",
    bytes: (r) => r.get(["X\0Y: a"]),
  },
  {
    id: "no-colon",
    name: "a field line without a colon",
    rule: "RFC 9112, 5",
    want: "refuse",
    bytes: (r) => r.get(["X-Value"]),
  },
  {
    id: "no-name",
    name: "a field line without a name",
    rule: "RFC 9110, 5.1",
    want: "refuse",
    bytes: (r) => r.get([": x"]),
  },
  {
    id: "name-token",
    name: "a field name that is no token",
    rule: "RFC 9110, 5.1",
    want: "refuse",
    bytes: (r) => r.get(["X(Y): a"]),
  },
  {
    id: "get-body",
    name: "a body on GET",
    rule: "RFC 9112, 6",
    want: "legal",
    bytes: (r) => r.get([`Content-Length: ${r.smuggled.length}`], r.smuggled),
  },
  {
    id: "empty-line-first",
    name: "an empty line before the request",
    rule: "RFC 9112, 2.2",
    want: "legal",
    bytes: (r) => `\r\n${r.get([])}`,
  },
];

const raw = (id: string, name: string, rule: string, want: Want, bytes: FramingCase["bytes"]): FramingCase => ({
  id,
  name,
  rule,
  want,
  bytes,
});

const starts: readonly FramingCase[] = [
  raw("host-missing", "no Host", "RFC 9112, 3.2", "refuse", (r) => `GET ${r.path} HTTP/1.1\r\nX: y\r\n\r\n`),
  raw("host-twice", "two Hosts", "RFC 9112, 3.2", "refuse", (r) => r.get(["Host: example.org"])),
  raw(
    "host-invalid",
    "a Host that is none",
    "RFC 9112, 3.2",
    "refuse",
    (r) => `GET ${r.path} HTTP/1.1\r\nHost: a b/c@d\r\n\r\n`,
  ),
  raw(
    "absolute-form",
    "a whole URL as target, another Host: the URL counts",
    "RFC 9112, 3.2.2",
    "legal",
    (r) => `GET http://example.org${r.path} HTTP/1.1\r\nHost: ${r.host}\r\n\r\n`,
  ),
  raw(
    "absolute-form-userinfo",
    "a URL with a user as target",
    "RFC 9110, 4.2.4",
    "lenient",
    (r) => `GET http://user@example.org${r.path} HTTP/1.1\r\nHost: ${r.host}\r\n\r\n`,
  ),
  raw("target-space", "a space in the target", "RFC 9112, 3.2", "refuse", (r) => r.get([]).replace(r.path, "/a b")),
  raw("target-relative", "a target without a slash", "RFC 9112, 3.2", "refuse", (r) => r.get([]).replace(r.path, "x")),
  raw("target-nul", "NUL in the target", "RFC 9112, 3.2", "refuse", (r) => r.get([]).replace(r.path, "/\0")),
  raw("target-fragment", "a fragment in the target", "RFC 9112, 3.2", "lenient", (r) =>
    r.get([]).replace(r.path, "/#a"),
  ),
  raw("version-2", "version HTTP/2.0 (505)", "RFC 9112, 2.3", "refuse", (r) => r.get([]).replace("/1.1", "/2.0")),
  raw("version-case", "version http/1.1", "RFC 9112, 2.3", "refuse", (r) => r.get([]).replace("HTTP/", "http/")),
  raw("version-digits", "version HTTP/1.10", "RFC 9112, 2.3", "refuse", (r) => r.get([]).replace("/1.1", "/1.10")),
  raw("version-missing", "no version (HTTP/0.9)", "RFC 9112, 2.3", "refuse", (r) => r.get([]).replace(" HTTP/1.1", "")),
  raw("method-token", "a method that is no token", "RFC 9110, 9.1", "refuse", (r) => r.get([]).replace("GET", "G(T")),
  raw("two-spaces", "two spaces in the request line", "RFC 9112, 3", "lenient", (r) =>
    r.get([]).replace("GET ", "GET  "),
  ),
  raw(
    "tls-hello",
    "bytes of another protocol",
    "RFC 9112, 2.2",
    "refuse",
    () => "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
  ),
];

export const framing: readonly Attack[] = [...both, ...lengths, ...codings, ...lines, ...starts].map(framingAttack);
