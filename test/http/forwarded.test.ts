/** What proxies say of a client, and how far it is believed: RFC 7239's own examples, real proxies' habits, and lies. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Forwarded, readForwarded } from "../../src/http/forwarded.ts";
import type { Addr } from "../../src/net/address.ts";
import { parseRanges } from "../../src/net/trust.ts";

const test = suite("forwarding headers");
const trusted = parseRanges(["10.0.0.0/8", "fd00::/8"], "trustProxy");
const peer: Addr = { transport: "tcp", hostname: "10.0.0.1", port: 40000 };

type Fields = Readonly<Record<string, string | undefined>>;

function read(fields: Fields, from: Addr = peer, ranges = trusted): Forwarded | string {
  const lower = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]));
  return readForwarded((name) => lower[name] ?? null, from, ranges);
}

/** "host:port proto host", the way the tables below are written; "400" for a refusal. */
function shown(fields: Fields, from?: Addr): string {
  const result = read(fields, from);
  if (typeof result === "string") return "400";
  const { remoteAddr, proto = "-", host = "-" } = result;
  const address = "path" in remoteAddr ? `unix:${remoteAddr.path}` : `${remoteAddr.hostname} ${remoteAddr.port}`;
  return `${address} ${proto} ${host}`;
}

function table(rows: readonly (readonly [Fields, string])[]): void {
  for (const [fields, expected] of rows) assert.is(shown(fields), expected, JSON.stringify(fields));
}

const nobody = "10.0.0.1 40000 - -";

test("from an untrusted peer nothing is believed, and nothing is refused", () => {
  const stranger: Addr = { transport: "tcp", hostname: "198.51.100.1", port: 9 };
  for (const fields of [
    { Forwarded: "for=192.0.2.1;proto=https;host=a" },
    { "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "a" },
    { Forwarded: '"""', "X-Forwarded-Proto": "gopher" },
    {},
  ]) {
    assert.is(shown(fields, stranger), "198.51.100.1 9 - -");
  }
});

test("a trusted peer that says nothing is the client", () => table([[{}, nobody]]));

test("Forwarded: the examples of RFC 7239, and the syntax of its section 4", () =>
  table([
    [{ Forwarded: "for=192.0.2.43" }, "192.0.2.43 0 - -"],
    [{ Forwarded: 'For="[2001:db8:cafe::17]:4711"' }, "2001:db8:cafe::17 4711 - -"],
    [{ Forwarded: "for=192.0.2.60;proto=http;by=203.0.113.43" }, "192.0.2.60 0 http -"],
    [{ Forwarded: "for=192.0.2.43, for=198.51.100.17" }, "198.51.100.17 0 - -"],
    [
      { Forwarded: "for=192.0.2.43,for=198.51.100.17;by=203.0.113.60;proto=http;host=example.com" },
      "198.51.100.17 0 http example.com",
    ],
    [
      { Forwarded: 'for="192.0.2.1:8080" ; Proto="HTTPS";ext="a, b; c" ; HOST="shop.example:8443"' },
      "192.0.2.1 8080 https shop.example:8443",
    ],
    [{ Forwarded: "for=192.0.2.1;" }, "192.0.2.1 0 - -"],
    [{ Forwarded: ";for=192.0.2.1;;proto=https" }, "192.0.2.1 0 https -"],
    [{ Forwarded: "for=192.0.2.1, ,\t," }, "192.0.2.1 0 - -"],
    [{ Forwarded: ", for=192.0.2.1" }, "192.0.2.1 0 - -"],
    [{ Forwarded: "" }, nobody],
    [{ Forwarded: 'for="192.0\\.2.1"' }, "192.0.2.1 0 - -"],
    [{ Forwarded: 'for="192.0.2.1:_port"' }, "192.0.2.1 0 - -"],
    // Proxies that forget the quotes: nothing else can be meant.
    [{ Forwarded: "for=192.0.2.1:8080;host=a:1" }, "192.0.2.1 8080 - a:1"],
    [{ Forwarded: "for=[2001:db8::1]" }, "2001:db8::1 0 - -"],
    [{ Forwarded: 'for="[::ffff:192.0.2.1]"' }, "192.0.2.1 0 - -"],
    // What the peer received, though it does not say from whom.
    [{ Forwarded: "proto=https;host=a" }, "10.0.0.1 40000 https a"],
  ]));

test("from right to left, as far as each entry is vouched for", () =>
  table([
    [{ Forwarded: "for=1.1.1.1, for=192.0.2.1, for=10.0.0.3, for=10.0.0.2" }, "192.0.2.1 0 - -"],
    [{ Forwarded: "for=10.9.9.9, for=10.0.0.2" }, "10.9.9.9 0 - -"],
    [{ Forwarded: 'for=192.0.2.1;proto=https;host=a, for="[fd00::2]:1";proto=http;host=b' }, "192.0.2.1 0 https a"],
    // The first proxy did not say how it was spoken to: the last word of the others holds.
    [{ Forwarded: "for=192.0.2.1, for=10.0.0.2;proto=https" }, "192.0.2.1 0 https -"],
    [{ Forwarded: "for=1.1.1.1;proto=https;host=evil, for=192.0.2.1" }, "192.0.2.1 0 - -"],
    [{ "X-Forwarded-For": "1.1.1.1, 192.0.2.1, 10.0.0.3, 10.0.0.2" }, "192.0.2.1 0 - -"],
    [{ "X-Forwarded-For": "192.0.2.1,10.0.0.2", "X-Forwarded-Proto": "https" }, "192.0.2.1 0 https -"],
    [{ "X-Forwarded-For": "192.0.2.1, 10.0.0.2", "X-Forwarded-Proto": "https, http" }, "192.0.2.1 0 https -"],
    [
      { "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http, https", "X-Forwarded-Host": "evil, good" },
      "192.0.2.1 0 https good",
    ],
    [
      {
        "X-Forwarded-For": "192.0.2.1, 10.0.0.2",
        "X-Forwarded-Proto": "http, https, http",
        "X-Forwarded-Host": "c,b,a",
      },
      "192.0.2.1 0 https b",
    ],
    [{ "X-Forwarded-For": "10.0.0.4, 10.0.0.3, 10.0.0.2" }, "10.0.0.4 0 - -"],
  ]));

test("nobody is named: the last who was, is as far as we know", () =>
  table([
    [{ Forwarded: "for=unknown;proto=https" }, "10.0.0.1 40000 https -"],
    [{ Forwarded: "for=_hidden" }, nobody],
    [{ Forwarded: "for=_SEVKISEK:_1" }, nobody],
    [{ Forwarded: "for=192.0.2.1, for=Unknown, for=10.0.0.2" }, "10.0.0.2 0 - -"],
    [{ Forwarded: "for=192.0.2.1, proto=http" }, "10.0.0.1 40000 http -"],
    [{ "X-Forwarded-For": "192.0.2.1, unknown" }, nobody],
    [{ "X-Forwarded-For": "192.0.2.1, unknown, 10.0.0.2", "X-Forwarded-Proto": "https" }, "10.0.0.2 0 https -"],
  ]));

test("X-Forwarded-*: the habits of proxies", () =>
  table([
    [{ "X-Forwarded-For": "192.0.2.1" }, "192.0.2.1 0 - -"],
    [{ "X-Forwarded-For": "192.0.2.1:5000" }, "192.0.2.1 5000 - -"],
    [{ "X-Forwarded-For": "2001:db8::1" }, "2001:db8::1 0 - -"],
    [{ "X-Forwarded-For": "[2001:DB8::1]" }, "2001:db8::1 0 - -"],
    [{ "X-Forwarded-For": "[2001:db8::1]:5000" }, "2001:db8::1 5000 - -"],
    [{ "X-Forwarded-For": "::ffff:192.0.2.1" }, "192.0.2.1 0 - -"],
    [{ "X-Forwarded-For": ",192.0.2.1 , ," }, "192.0.2.1 0 - -"],
    [{ "X-Forwarded-For": "," }, nobody],
    [{ "X-Forwarded-For": "" }, nobody],
    [{ "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example" }, "10.0.0.1 40000 https shop.example"],
    [{ "X-Forwarded-Proto": "WSS" }, "10.0.0.1 40000 https -"],
    [{ "X-Forwarded-Proto": "ws", "X-Forwarded-Host": "[2001:db8::1]:80" }, "10.0.0.1 40000 http [2001:db8::1]:80"],
  ]));

test("malformed entries of trusted proxies are refused, those of clients are not looked at", () => {
  for (const Forwarded of [
    "for",
    "for=",
    "for=a.b.c.d",
    "for=192.0.2.256",
    "for=192.0.2.01",
    'for="2001:db8::1"x',
    'for="192.0.2.1',
    "for='192.0.2.1'",
    'for="192.0.2.1:99999"',
    'for="192.0.2.1:"',
    'for="[2001:db8::g]"',
    'for="[192.0.2.1]:x"',
    "for=192.0.2.1;for=192.0.2.2",
    "for=192.0.2.1 for=192.0.2.2",
    "for =192.0.2.1",
    "for= 192.0.2.1",
    "f(r=192.0.2.1",
    "for=192.0.2.1;proto=gopher",
    'for=192.0.2.1;host="a b"',
    'for=192.0.2.1;host="a/b"',
    'for=192.0.2.1;host="a@b"',
    'for=192.0.2.1;host=""',
    'for=192.0.2.1;host="a:99999"',
    'for=192.0.2.1;host="[::1"',
    "nonsense, for=10.0.0.2",
    '"for=10.0.0.2',
  ]) {
    assert.is(shown({ Forwarded }), "400", Forwarded);
    assert.match(read({ Forwarded }) as string, /^[\x20-\x7e]{10,80}$/);
    assert.is(shown({ Forwarded: `${Forwarded}, for=192.0.2.9` }), "192.0.2.9 0 - -", Forwarded);
  }
  for (const wrong of [
    "nonsense",
    "192.0.2.1 ; x",
    "192.0.2.1:99999",
    "192.0.2",
    "::g",
    "[192.0.2.1]:",
    "1.2.3.4%eth0",
  ]) {
    assert.is(shown({ "X-Forwarded-For": wrong }), "400", wrong);
    assert.is(shown({ "X-Forwarded-For": `${wrong}, 192.0.2.9` }), "192.0.2.9 0 - -", wrong);
  }
  for (const wrong of [
    { "X-Forwarded-Proto": "h2" },
    { "X-Forwarded-Host": "a b" },
    { "X-Forwarded-Host": "http://a" },
  ]) {
    assert.is(shown(wrong), "400");
  }
});

test("a quote that a client leaves open swallows nothing of the proxy's", () =>
  table([
    [{ Forwarded: 'for="1.1.1.1, for=192.0.2.1' }, "192.0.2.1 0 - -"],
    [{ Forwarded: 'for="1.1.1.1, for=192.0.2.1;by="[::1]"' }, "192.0.2.1 0 - -"],
    [{ Forwarded: 'for="\\, for=192.0.2.1;ext="a\\",\\\\"' }, "192.0.2.1 0 - -"],
    [{ Forwarded: 'for=1.1.1.1;ext="\\\\\\", for=192.0.2.1' }, "192.0.2.1 0 - -"],
  ]));

test("both kinds: the same client, or a refusal, since one of them may be the client's own", () => {
  table([
    [
      { Forwarded: "for=192.0.2.1;proto=https", "X-Forwarded-For": "192.0.2.1:4", "X-Forwarded-Host": "a" },
      "192.0.2.1 0 https a",
    ],
    [{ Forwarded: 'for="[2001:db8:0::1]"', "X-Forwarded-For": "2001:DB8::1" }, "2001:db8::1 0 - -"],
    [{ Forwarded: "for=192.0.2.1", "X-Forwarded-For": "192.0.2.2" }, "400"],
    [{ Forwarded: "for=127.0.0.1", "X-Forwarded-For": "192.0.2.2" }, "400"],
    [{ Forwarded: "for=192.0.2.1", "X-Forwarded-For": "" }, "192.0.2.1 0 - -"],
    [{ Forwarded: "for=192.0.2.1", "X-Forwarded-Proto": "https" }, "192.0.2.1 0 https -"],
  ]);
});

test("chains and lies are bounded in work", () => {
  const long = (entry: string, count: number) => Array(count).fill(entry).join(", ");
  assert.is(shown({ "X-Forwarded-For": long("10.0.0.2", 32) }), "10.0.0.2 0 - -");
  assert.is(shown({ "X-Forwarded-For": long("10.0.0.2", 33) }), "400");
  assert.is(shown({ Forwarded: long("for=10.0.0.2", 33) }), "400");
  // A megabyte of everything that could make a careless reader slow. Bounded, so this is a matter of milliseconds.
  const began = performance.now();
  for (const lie of ["10.0.0.2,", '"', "\\", '\\"', ",", " ", ";", "for=", '=""', "a"]) {
    const megabyte = lie.repeat(1_000_000 / lie.length);
    for (const value of [megabyte, `${megabyte}, for=10.0.0.2`, `${megabyte};for=192.0.2.1`, `${megabyte}, 10.0.0.2`]) {
      read({ Forwarded: value });
      read({ "X-Forwarded-For": value, "X-Forwarded-Proto": value, "X-Forwarded-Host": value });
    }
  }
  assert.ok(performance.now() - began < 20_000);
});

test("a Unix peer is believed when it was named", () => {
  const local: Addr = { transport: "unix", path: "/run/x.sock" };
  const fields = { "X-Forwarded-For": "192.0.2.1" };
  assert.is(shown(fields, local), "unix:/run/x.sock - -");
  const result = read(fields, local, parseRanges("unix", "trustProxy"));
  assert.equal((result as Forwarded).remoteAddr, { transport: "tcp", hostname: "192.0.2.1", port: 0 });
});

test.run();
