/** Addresses as text and bytes, against node:net and the WHATWG URL parser, which we did not write. */
import net from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { linux } from "../../ffi/constants/linux.ts";
import { checkPort, decodeAddress, encodeIp, encodeUnix, showAddress } from "../../src/net/address.ts";
import { formatV6, parseIp } from "../../src/net/ip.ts";

const test = suite("addresses");

test("what is an IP address and what is not, as node:net sees it", () => {
  const candidates = [
    ..."0.0.0.0 127.0.0.1 255.255.255.255 256.0.0.1 1.2.3 1.2.3.4.5 01.2.3.4 1.2.3.04 1..2.3 a.b.c.d 1.2.3.4x".split(
      " ",
    ),
    ...":: ::1 1:: 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 1::8 1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8".split(" "),
    ..."1::2::3 :1 1: ::: 1:::2 12345:: g:: ::ffff:1.2.3.4 1:2:3:4:5:6:1.2.3.4 ::1.2.3 1.2.3.4:: ::1.2.3.4:5".split(
      " ",
    ),
    ..."FE80::A fe80::1%eth0 fe80::1% 1:2:3:4:5:6:7::8 1::2:3:4:5:6:7:8 localhost ".split(" "),
  ];
  for (const text of candidates) {
    assert.is(parseIp(text) !== undefined, net.isIP(text) !== 0, JSON.stringify(text));
  }
});

test("random IPv6 addresses are written as URL writes them, and read back", () => {
  const seed = Date.now() >>> 0;
  let state = seed;
  const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  for (let i = 0; i < 3000; i++) {
    const bytes = new Uint8Array(16);
    for (let group = 0; group < 8; group++) {
      if (random() < 0.5) continue; // many zeros, so that "::" has its cases
      bytes[2 * group] = random() < 0.5 ? 0 : random() * 256;
      bytes[2 * group + 1] = random() * 256;
    }
    const text = formatV6(bytes, 0);
    assert.is(new URL(`http://[${text}]/`).hostname, `[${text}]`, `seed ${seed}`);
    assert.equal(parseIp(text)?.bytes, bytes, `seed ${seed}: ${text}`);
  }
});

test("sockaddrs, with and without a length byte, back and forth", () => {
  for (const constants of [linux, { ...linux, sockaddrHasLength: true, AF_INET6: 30 }]) {
    for (const hostname of ["127.0.0.1", "255.1.2.3", "::1", "2001:db8::1", "fe80::1%7"]) {
      const ip = parseIp(hostname);
      if (ip === undefined) throw new Error(hostname);
      const bytes = encodeIp(constants, ip, 54321);
      assert.equal(decodeAddress(constants, bytes, bytes.length), { transport: "tcp", hostname, port: 54321 });
    }
    for (const path of ["/run/a.sock", "relative", "./@file", "\0abstract", "é"]) {
      const bytes = encodeUnix(constants, path);
      assert.equal(decodeAddress(constants, bytes, bytes.length), { transport: "unix", path });
    }
  }
  assert.equal(
    [...encodeIp(linux, { bytes: new Uint8Array([1, 2, 3, 4]), zone: "" }, 258)].slice(0, 8),
    [2, 0, 1, 2, 1, 2, 3, 4],
  );
});

test("an IPv4 address in IPv6's clothes is IPv4", () => {
  const ip = parseIp("::ffff:192.0.2.1");
  if (ip === undefined) throw new Error("not parsed");
  assert.is((decodeAddress(linux, encodeIp(linux, ip, 1), 28) as { hostname: string }).hostname, "192.0.2.1");
});

test("shown with brackets where they are needed", () => {
  assert.is(showAddress({ transport: "tcp", hostname: "::1", port: 80 }), "[::1]:80");
  assert.is(showAddress({ transport: "udp", hostname: "1.2.3.4", port: 80 }), "1.2.3.4:80");
  assert.is(showAddress({ transport: "unix", path: "/a" }), "unix:/a");
  assert.is(showAddress({ transport: "unix", path: "\0a" }), "unix:@a");
});

test("ports as numbers and, as Deno takes them, digits", () => {
  assert.is(checkPort(0), 0);
  assert.is(checkPort("65535"), 65535);
  for (const wrong of [65536, -1, Number.NaN, "", "1e3", null, undefined, {}]) {
    assert.throws(() => checkPort(wrong), /^Invalid port/);
  }
});

test.run();
