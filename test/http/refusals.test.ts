// What two parties could read differently is refused: the right status, then FIN, and nothing behind it is served.
import { suite, test } from "uvu";
import * as assert from "uvu/assert";
import { skip } from "../support/skip.ts";
import { overTls } from "../support/tls.ts";
import { connect } from "./support/client.ts";
import { start } from "./support/server.ts";

const seen: string[] = [];
const { port, server } = start(async (request) => {
  seen.push(`${request.method} ${new URL(request.url).pathname}`);
  return new Response(await request.text());
});
test.after(() => server.close());

const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/** Sends it with another request behind, and expects this one answer. */
async function refused(request: string | Uint8Array, status: number): Promise<void> {
  seen.length = 0;
  using client = await connect(port);
  client.write(request);
  client.write(SMUGGLED);
  const responses = await client.untilEnd();
  assert.equal(
    responses.map((response) => response.status),
    [status],
    client.text,
  );
  assert.is(responses[0].header("connection"), "close");
  assert.equal(seen, []);
}

const get = (...fields: string[]): string => ["GET / HTTP/1.1", ...fields, "", ""].join("\r\n");
const post = (...fields: string[]): string => ["POST / HTTP/1.1", "Host: x", ...fields, "", ""].join("\r\n");

type Case = Readonly<Record<string, readonly [request: string | Uint8Array, status: number]>>;

/** What TLS sends at a time, at the most. */
const RECORD = 16 * 1024;

function table(name: string, cases: Case): void {
  const group = suite(name);
  for (const [title, [request, status]] of Object.entries(cases)) {
    const name = `${title}: ${status}`;
    if (overTls && request.length > RECORD)
      skip(group, name, "it comes in several records: the handler sees the first");
    else group(name, () => refused(request, status));
  }
  group.run();
}

// What a proxy takes for frames, and a server for a body.
table("a WebSocket handshake with a body", {
  "of a length": [`${get("Host: x", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 5")}hello`, 400],
  "in any order and case": [
    `${get("Host: x", "Content-Length: 5", "upgrade: WebSocket", "Connection: Upgrade")}hello`,
    400,
  ],
  chunked: [`${post("Transfer-Encoding: chunked", "Upgrade: websocket")}0\r\n\r\n`, 400],
});

table("Content-Length (RFC 9112, 6.3)", {
  "beside Transfer-Encoding": [`${post("Content-Length: 5", "Transfer-Encoding: chunked")}0\r\n\r\n`, 400],
  "behind Transfer-Encoding": [`${post("Transfer-Encoding: chunked", "Content-Length: 5")}0\r\n\r\n`, 400],
  "0 beside Transfer-Encoding": [`${post("Transfer-Encoding: chunked", "Content-Length: 0")}0\r\n\r\n`, 400],
  "repeated and different": [`${post("Content-Length: 5", "Content-Length: 6")}hello`, 400],
  "repeated and equal": [`${post("Content-Length: 5", "Content-Length: 5")}hello`, 400],
  "a list": [`${post("Content-Length: 5, 5")}hello`, 400],
  "with a sign": [`${post("Content-Length: +5")}hello`, 400],
  negative: [`${post("Content-Length: -5")}hello`, 400],
  hexadecimal: [`${post("Content-Length: 0x5")}hello`, 400],
  "with an exponent": [`${post("Content-Length: 5e0")}hello`, 400],
  "a fraction": [`${post("Content-Length: 5.0")}hello`, 400],
  "with a space inside": [`${post("Content-Length: 1 0")}hello`, 400],
  "with an underscore": [`${post("Content-Length: 1_0")}hello`, 400],
  "not ASCII digits": [`${post("Content-Length: \u00b2")}hello`, 400],
  empty: [`${post("Content-Length: ")}hello`, 400],
  "a comma": [`${post("Content-Length: ,5")}hello`, 400],
  "beyond 2^53": [`${post("Content-Length: 9007199254740993")}hello`, 400],
  "beyond 2^64": [`${post("Content-Length: 18446744073709551621")}hello`, 400],
  quoted: [`${post('Content-Length: "5"')}hello`, 400],
  folded: [`${post("Content-Length:\r\n 5")}hello`, 400],
});

table("Transfer-Encoding (RFC 9112, 6.1)", {
  "chunked, chunked": [`${post("Transfer-Encoding: chunked, chunked")}0\r\n\r\n`, 400],
  "gzip, chunked": [`${post("Transfer-Encoding: gzip, chunked")}0\r\n\r\n`, 501],
  gzip: [post("Transfer-Encoding: gzip"), 400],
  "chunked, gzip": [`${post("Transfer-Encoding: chunked, gzip")}0\r\n\r\n`, 400],
  "chunked, identity": [`${post("Transfer-Encoding: chunked, identity")}0\r\n\r\n`, 400],
  identity: [post("Transfer-Encoding: identity"), 400],
  xchunked: [`${post("Transfer-Encoding: xchunked")}0\r\n\r\n`, 400],
  chunkedx: [`${post("Transfer-Encoding: chunkedx")}0\r\n\r\n`, 400],
  "chunked with a parameter": [`${post("Transfer-Encoding: chunked;q=1")}0\r\n\r\n`, 400],
  quoted: [`${post('Transfer-Encoding: "chunked"')}0\r\n\r\n`, 400],
  repeated: [`${post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}0\r\n\r\n`, 400],
  "split over two lines": [`${post("Transfer-Encoding: gzip", "Transfer-Encoding: chunked")}0\r\n\r\n`, 400],
  "hidden behind identity": [`${post("Transfer-Encoding: identity", "Transfer-Encoding: chunked")}0\r\n\r\n`, 400],
  empty: [post("Transfer-Encoding:"), 400],
  "a comma in front": [`${post("Transfer-Encoding: , chunked")}0\r\n\r\n`, 400],
  "a comma behind": [`${post("Transfer-Encoding: chunked,")}0\r\n\r\n`, 400],
  "a vertical tab": [`${post("Transfer-Encoding: \x0bchunked")}0\r\n\r\n`, 400],
  "a form feed": [`${post("Transfer-Encoding: chunked\x0c")}0\r\n\r\n`, 400],
  "a no-break space": [`${post("Transfer-Encoding: \xa0chunked")}0\r\n\r\n`, 400],
  folded: [`${post("Transfer-Encoding:\r\n chunked")}0\r\n\r\n`, 400],
  "in HTTP/1.0": ["POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
});

table("Lines (RFC 9112, 2.2 and 5)", {
  "bare LF behind the request line": ["GET / HTTP/1.1\nHost: x\r\n\r\n", 400],
  "bare LF behind a field": [get("Host: x\nA: b"), 400],
  "bare LF at the end of the head": ["GET / HTTP/1.1\r\nHost: x\r\n\n", 400],
  "bare LF everywhere": ["GET / HTTP/1.1\nHost: x\n\n", 400],
  "bare CR in a value": [get("Host: x", "A: b\rc"), 400],
  "bare CR behind the request line": ["GET / HTTP/1.1\rHost: x\r\n\r\n", 400],
  "CR CR LF": ["GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", 400],
  "bare CR in front": ["\rGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "obs-fold with a space": [get("Host: x", "A: b\r\n c"), 400],
  "obs-fold with a tab": [get("Host: x", "A: b\r\n\tc"), 400],
  "obs-fold in front of the first field": ["GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400],
  "space in front of the colon": [get("Host: x", "A : b"), 400],
  "tab in front of the colon": [get("Host: x", "A\t: b"), 400],
  "space in front of the colon of Transfer-Encoding": [`${post("Transfer-Encoding : chunked")}0\r\n\r\n`, 400],
  "no colon": [get("Host: x", "A"), 400],
  "an empty name": [get("Host: x", ": b"), 400],
  "a name that is no token": [get("Host: x", "A(b): c"), 400],
  "a name beyond ASCII": [get("Host: x", "\xe9: c"), 400],
  "NUL in a value": [get("Host: x", "A: b\0c"), 400],
  "NUL in a name": [get("Host: x", "A\0: c"), 400],
  "NUL in the target": ["GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "DEL in a value": [get("Host: x", "A: b\x7fc"), 400],
  "ESC in a value": [get("Host: x", "A: \x1b[31m"), 400],
});

table("Host (RFC 9112, 3.2)", {
  missing: [get("A: b"), 400],
  "missing, no fields at all": ["GET / HTTP/1.1\r\n\r\n", 400],
  repeated: [get("Host: x", "Host: y"), 400],
  "repeated and equal": [get("Host: x", "host: x"), 400],
  empty: [get("Host: "), 400],
  "a list": [get("Host: a, b"), 400],
  "with a path": [get("Host: a/b"), 400],
  "with user information": [get("Host: user@a"), 400],
  "with a fragment": [get("Host: a#b"), 400],
  "with a query": [get("Host: a?b"), 400],
  "with a backslash": [get("Host: a\\b"), 400],
  "with a space": [get("Host: a b"), 400],
  "beyond ASCII": [get("Host: \xe4"), 400],
  "a port that is no number": [get("Host: a:b"), 400],
  "a port beyond 65535": [get("Host: a:65536"), 400],
  "two ports": [get("Host: a:1:2"), 400],
  "a port alone": [get("Host: :80"), 400],
  "half an IPv6 address": [get("Host: [::1"), 400],
  "a bad IPv6 address": [get("Host: [::g]"), 400],
  "an IPv4 address out of range": [get("Host: 256.1.1.1"), 400],
  "an IPv4 address out of range, with a last dot": [get("Host: 1.1.1.256."), 400],
  "repeated beside an absolute target": ["GET http://a/ HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400],
  "missing beside an absolute target": ["GET http://a/ HTTP/1.1\r\nA: b\r\n\r\n", 400],
  "repeated in HTTP/1.0": ["GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n", 400],
});

table("Request line (RFC 9112, 3)", {
  "no version": ["GET /\r\nHost: x\r\n\r\n", 400],
  "HTTP/0.9": ["GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505],
  "HTTP/1.2": ["GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505],
  "HTTP/2.0": ["GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505],
  "the preface of HTTP/2": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  "HTTP/1.10": ["GET / HTTP/1.10\r\nHost: x\r\n\r\n", 400],
  "HTTP/01.1": ["GET / HTTP/01.1\r\nHost: x\r\n\r\n", 400],
  "HTTP/1,1": ["GET / HTTP/1,1\r\nHost: x\r\n\r\n", 400],
  "http/1.1": ["GET / http/1.1\r\nHost: x\r\n\r\n", 400],
  "another protocol": ["GET / HTCPCP/1.0\r\nHost: x\r\n\r\n", 400],
  "a space behind the version": ["GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400],
  "two spaces in front of the target": ["GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "two spaces behind the target": ["GET /  HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "a tab": ["GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "a space in the target": ["GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "a fragment in the target": ["GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "a target beyond ASCII": ["GET /\xe4 HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "no target": ["GET HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "a relative target": ["GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "another scheme": ["GET ftp://a/ HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "user information in the target": ["GET http://u@a/ HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "an absolute target without a host": ["GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "GET *": ["GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "OPTIONS *a": ["OPTIONS *a HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  CONNECT: ["CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501],
  "a method that is no token": ["GE{T / HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "no method": [" / HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "a TLS ClientHello": [Buffer.from("16030100c8010000c40303", "hex"), 400],
  SSH: ["SSH-2.0-OpenSSH_9.9\r\n", 400],
  "the PROXY protocol": ["PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  "a target beyond 64 KiB": [`GET /${"a".repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 414],
  "a target beyond 1 MiB": [`GET /${"a".repeat(1_100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 414],
});

table("Heads too large (RFC 6585, 5)", {
  "a field beyond 1 MiB": [get("Host: x", `A: ${"b".repeat(1_100_000)}`), 431],
  "many fields beyond 1 MiB": [get("Host: x", ...Array.from({ length: 200 }, () => `A: ${"b".repeat(6000)}`)), 431],
  "257 fields": [get("Host: x", ...Array.from({ length: 256 }, (_, i) => `A${i}: b`)), 431],
  "a method beyond 1 MiB": ["A".repeat(1_100_000), 431],
});

table("Expect (RFC 9110, 10.1.1)", {
  "an unknown expectation": [`${post("Content-Length: 5", "Expect: 200-maybe")}hello`, 417],
  "two expectations": [`${post("Content-Length: 5", "Expect: 100-continue, x")}hello`, 417],
});

const chunks = (body: string): string => post("Transfer-Encoding: chunked") + body;
table("Chunks (RFC 9112, 7.1)", {
  "no size": [chunks("\r\nhello\r\n0\r\n\r\n"), 400],
  "a size that is no number": [chunks("x\r\nhello\r\n0\r\n\r\n"), 400],
  "a size with 0x": [chunks("0x5\r\nhello\r\n0\r\n\r\n"), 400],
  "a size with a sign": [chunks("+5\r\nhello\r\n0\r\n\r\n"), 400],
  "a negative size": [chunks("-5\r\nhello\r\n0\r\n\r\n"), 400],
  "a space in front of the size": [chunks(" 5\r\nhello\r\n0\r\n\r\n"), 400],
  "a space behind the size": [chunks("5 \r\nhello\r\n0\r\n\r\n"), 400],
  "a size beyond 2^64": [chunks("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400],
  "a size with an underscore": [chunks("0_5\r\nhello\r\n0\r\n\r\n"), 400],
  "a size that ends in LF": [chunks("5\nhello\r\n0\r\n\r\n"), 400],
  "a size that ends in CR": [chunks("5\rhello\r\n0\r\n\r\n"), 400],
  "a chunk that ends in LF": [chunks("5\r\nhello\n0\r\n\r\n"), 400],
  "a chunk longer than its size": [chunks("4\r\nhello\r\n0\r\n\r\n"), 400],
  "a chunk shorter than its size": [chunks("6\r\nhello\r\n0\r\n\r\n"), 400],
  "an extension with LF": [chunks("5;a\nhello\r\n0\r\n\r\n"), 400],
  "an extension with NUL": [chunks("5;a\0\r\nhello\r\n0\r\n\r\n"), 400],
  "an extension beyond 16 KiB": [chunks(`5;${"a".repeat(20_000)}\r\nhello\r\n0\r\n\r\n`), 400],
  "a last chunk that ends in LF": [chunks("5\r\nhello\r\n0\n\r\n"), 400],
  "a trailer section that ends in LF": [chunks("5\r\nhello\r\n0\r\n\n"), 400],
  "a folded trailer": [chunks("0\r\nA: b\r\n c\r\n\r\n"), 400],
  "a trailer without a colon": [chunks("0\r\nA\r\n\r\n"), 400],
  "a trailer with a space in front of the colon": [chunks("0\r\nA : b\r\n\r\n"), 400],
  "a trailer without a name": [chunks("0\r\n: b\r\n\r\n"), 400],
  "trailers beyond 16 KiB": [chunks(`0\r\nA: ${"b".repeat(20_000)}\r\n\r\n`), 400],
  "a bad size behind a good chunk": [chunks("5\r\nhello\r\nzz\r\n"), 400],
  "a request in place of the trailers": [chunks("0\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"), 400],
});

test("after all this the server still serves", async () => {
  using client = await connect(port);
  client.write(SMUGGLED);
  assert.is((await client.response()).status, 200);
});

test.run();
