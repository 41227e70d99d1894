/** PROXY headers, version 1 and 2, by the letter of HAProxy's specification: whole, in pieces, and wrong. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MAX_PROXY_HEADER, PROXY_INCOMPLETE, PROXY_MALFORMED, ProxyParser } from "../../src/net/proxy-protocol.ts";
import { crc32c, crcTlv, type Tlv, v2 } from "./proxy-header.ts";

const test = suite("PROXY protocol");
const latin1 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, "latin1"));
const parser = new ProxyParser();
const parse = (bytes: Uint8Array): number => parser.parse(bytes, 0, bytes.length);

const v1Lines: readonly [line: string, source: string | undefined, port: number, destination?: string][] = [
  ["PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1", 56324, "192.168.0.11"],
  ["PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255", 65535],
  ["PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n", "1.2.3.4", 0],
  ["PROXY TCP6 2001:DB8::1 ::1 1 2\r\n", "2001:db8::1", 1, "::1"],
  [`PROXY TCP6 ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`, `${"ffff:".repeat(7)}ffff`, 65535],
  // What inet_ntop writes for an IPv4 client of a dual-stack socket; here as everywhere it is IPv4.
  ["PROXY TCP6 ::ffff:192.0.2.9 ::1 7 8\r\n", "192.0.2.9", 7],
  ["PROXY UNKNOWN\r\n", undefined, 0],
  ["PROXY UNKNOWN any thing, \x00 at all\r\n", undefined, 0],
  [`PROXY UNKNOWN ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`, undefined, 0],
];

function check(line: (typeof v1Lines)[number]): void {
  const [, source, port, destination] = line;
  const { client } = parser;
  if (source === undefined) return assert.equal(client, { kind: "unknown" });
  if (client.kind !== "proxied") throw new Error(`kind is ${client.kind}`);
  assert.equal(client.source, { transport: "tcp", hostname: source, port });
  if (destination !== undefined) assert.is((client.destination as { hostname: string }).hostname, destination);
}

test("version 1: whole, with the client's bytes behind it, and somewhere in a larger buffer", () => {
  for (const line of v1Lines) {
    assert.is(parse(latin1(line[0])), line[0].length, line[0]);
    check(line);
    const framed = latin1(`xx${line[0]}GET / HTTP/1.1\r\n`);
    assert.is(parser.parse(framed, 2, framed.length), line[0].length);
    check(line);
  }
});

test("version 1: each shorter piece is incomplete, whatever lies behind it in memory", () => {
  for (const [line] of v1Lines) {
    const bytes = latin1(line);
    for (let end = 0; end < bytes.length; end++) assert.is(parser.parse(bytes, 0, end), PROXY_INCOMPLETE, line);
  }
});

test("version 1: what is not exactly a line is malformed", () => {
  for (const line of [
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
    "PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
    "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n",
    "PROXY TCP4 ::1 ::1 1 2\r\n",
    "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY TCP6 [::1] [::1] 1 2\r\n",
    "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    "PROXY TCP6 ::1::2 ::1 1 2\r\n",
    "PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY UNKNOWNX\r\n",
    "PROXY \r\n",
    "PROXY\r\n",
    "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY\tTCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY UNKNOWN a\nb\r\n",
    `PROXY UNKNOWN ${"x".repeat(93)}\r\n`,
    `PROXY UNKNOWN ${"x".repeat(200)}`,
  ]) {
    assert.is(parse(latin1(line)), PROXY_MALFORMED, JSON.stringify(line));
    assert.ok(parser.reason.length > 10 && !parser.reason.includes("\n"));
  }
  assert.is(parse(latin1(`PROXY UNKNOWN ${"x".repeat(91)}\r\n`)), 107);
});

test("no other protocol is taken for it, and none is waited for", () => {
  for (const text of [
    "GET / HTTP/1.1\r\n",
    "PUT",
    "POST",
    "PROPFIND",
    "PROXI",
    "\r\nGET",
    "\r\n\r\nG",
    "\x16\x03\x01",
    "\0",
  ]) {
    assert.is(parse(latin1(text)), PROXY_MALFORMED, JSON.stringify(text));
  }
  for (const text of ["P", "PR", "PRO", "PROX", "PROXY", "PROXY ", "\r", "\r\n", "\r\n\r\n\0"]) {
    assert.is(parse(latin1(text)), PROXY_INCOMPLETE, JSON.stringify(text));
  }
});

const four = [1, 2, 3, 4, 5, 6, 7, 8, 0xdb, 0x04, 0x01, 0xbb];
const six = [
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0, 80, 1, 0],
];
const mapped = [...Array(10).fill(0), 0xff, 0xff, 9, 8, 7, 6, ...Array(16).fill(0), 0, 1, 0, 2];
const unixPair = (source: string, destination: string): number[] =>
  [source, destination].flatMap((path) => [...Buffer.from(path.padEnd(108, "\0"), "latin1")]);

test("version 2: every family, byte by byte", () => {
  const cases: readonly [header: Uint8Array, client: unknown][] = [
    [
      v2(0x21, 0x11, four),
      {
        kind: "proxied",
        source: { transport: "tcp", hostname: "1.2.3.4", port: 56068 },
        destination: { transport: "tcp", hostname: "5.6.7.8", port: 443 },
      },
    ],
    [
      v2(0x21, 0x21, six),
      {
        kind: "proxied",
        source: { transport: "tcp", hostname: "2001:db8::1", port: 80 },
        destination: { transport: "tcp", hostname: "::1", port: 256 },
      },
    ],
    [
      v2(0x21, 0x21, mapped),
      {
        kind: "proxied",
        source: { transport: "tcp", hostname: "9.8.7.6", port: 1 },
        destination: { transport: "tcp", hostname: "::", port: 2 },
      },
    ],
    [
      v2(0x21, 0x31, unixPair("/run/client", "\0abstract")),
      {
        kind: "proxied",
        source: { transport: "unix", path: "/run/client" },
        destination: { transport: "unix", path: "\0abstract" },
      },
    ],
    [v2(0x20, 0x00, []), { kind: "local" }],
    [v2(0x20, 0x11, four), { kind: "local" }],
    // LOCAL's block is dropped unread, its family with it.
    [v2(0x20, 0xff, [1, 2, 3]), { kind: "local" }],
    [v2(0x21, 0x00, []), { kind: "unknown" }],
    [v2(0x21, 0x00, [1, 2, 3]), { kind: "unknown" }],
    [v2(0x21, 0x01, four), { kind: "unknown" }],
    [v2(0x21, 0x10, four), { kind: "unknown" }],
    [v2(0x21, 0x12, four), { kind: "unknown" }],
    [v2(0x21, 0x22, six), { kind: "unknown" }],
    [v2(0x21, 0x32, unixPair("a", "b")), { kind: "unknown" }],
  ];
  for (const [header, client] of cases) {
    const framed = new Uint8Array(header.length + 20).fill(0x41);
    framed.set(header, 3);
    for (let end = 3; end < 3 + header.length; end++) assert.is(parser.parse(framed, 3, end), PROXY_INCOMPLETE);
    for (const end of [3 + header.length, framed.length]) {
      assert.is(parser.parse(framed, 3, end), header.length);
      assert.equal(parser.client, client);
    }
  }
});

test("version 2: values are skipped, but must fill the header exactly", () => {
  const tlvs: Tlv[] = [
    [0x02, [...Buffer.from("example.com")]],
    [0x04, []],
    [0xea, Array(300).fill(7)],
  ];
  for (const [family, addresses] of [
    [0x11, four],
    [0x21, six],
  ] as const) {
    const header = v2(0x21, family, addresses, tlvs);
    assert.is(parse(header), header.length);
    assert.is(parser.client.kind, "proxied");
    for (const rest of [[1], [1, 0], [1, 0, 1], [4, 0xff, 0xff, 1]]) {
      assert.is(parse(v2(0x21, family, [...addresses, ...rest])), PROXY_MALFORMED, String(rest));
    }
  }
});

test("version 2: a checksum is verified when there is one", () => {
  // The catalogue value for "123456789".
  assert.is(crc32c(latin1("123456789")), 0xe3069283);
  for (const tlvs of [[crcTlv], [[0x04, [1, 2]], crcTlv], [crcTlv, [0xe0, [9]]]] as Tlv[][]) {
    const header = v2(0x21, 0x11, four, tlvs);
    assert.is(parse(header), header.length);
    for (let i = 16; i < header.length; i++) {
      if (header[i] === 0x03 && header[i + 2] === 4) continue; // the checksum's own type: without, there is none
      const broken = header.slice();
      broken[i] ^= 0x10;
      assert.is(parse(broken), PROXY_MALFORMED, `byte ${i}`);
    }
  }
  assert.is(parse(v2(0x21, 0x11, four, [crcTlv, crcTlv])), PROXY_MALFORMED);
  assert.is(parse(v2(0x21, 0x11, four, [[0x03, [1, 2, 3]]])), PROXY_MALFORMED);
});

test("version 2: what must be refused is refused at its byte", () => {
  const header = v2(0x21, 0x11, four);
  for (const [at, value] of [
    [0, 0x0a],
    [4, 0x01],
    [11, 0x0d],
    [12, 0x11],
    [12, 0x31],
    [12, 0x22],
    [12, 0x2f],
    [13, 0x41],
    [13, 0x13],
    [13, 0xf1],
  ] as const) {
    const wrong = header.slice();
    wrong[at] = value;
    assert.is(parser.parse(wrong, 0, at + 1), PROXY_MALFORMED, `${value} at ${at}`);
    if (at > 0) assert.is(parser.parse(wrong, 0, at), PROXY_INCOMPLETE, `before ${at}`);
  }
  assert.is(parse(v2(0x21, 0x11, four.slice(1))), PROXY_MALFORMED);
  assert.is(parse(v2(0x21, 0x21, six.slice(1))), PROXY_MALFORMED);
  assert.is(parse(v2(0x21, 0x31, unixPair("a", "b").slice(1))), PROXY_MALFORMED);
});

test("version 2: a length beyond the bound is refused before its bytes come", () => {
  const fits = v2(0x21, 0x11, four, [[0x04, Array(MAX_PROXY_HEADER - 16 - 12 - 3).fill(0)]]);
  assert.is(fits.length, MAX_PROXY_HEADER);
  assert.is(parse(fits), MAX_PROXY_HEADER);
  const huge = v2(0x21, 0x11, four, [[0x04, Array(MAX_PROXY_HEADER - 16 - 12 - 2).fill(0)]]);
  assert.is(parser.parse(huge, 0, 16), PROXY_MALFORMED);
  assert.match(parser.reason, /4097 bytes/);
});

test("random bytes behind a valid beginning never throw and never read beyond their end", () => {
  const seed = Date.now() >>> 0;
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const seeds = [
    latin1("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
    v2(0x21, 0x11, four, [crcTlv]),
    v2(0x21, 0x31, unixPair("a", "b")),
  ];
  for (let i = 0; i < 20_000; i++) {
    const bytes = seeds[random(seeds.length)].slice();
    for (let n = random(4); n >= 0; n--) bytes[random(bytes.length)] = random(256);
    const end = random(bytes.length + 1);
    const guarded = new Uint8Array(end + 64).fill(random(256));
    guarded.set(bytes.subarray(0, end));
    const result = parser.parse(guarded, 0, end);
    assert.ok(result === PROXY_MALFORMED || (result >= 0 && result <= end), `seed ${seed}`);
    assert.is(parser.parse(bytes.subarray(0, end), 0, end), result, `seed ${seed}: bytes behind the end matter`);
  }
});

test.run();
