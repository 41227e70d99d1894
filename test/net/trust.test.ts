/** Sets of trusted addresses, against node:net's BlockList, which we did not write. */
import { BlockList, isIPv4 } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseRanges } from "../../src/net/trust.ts";

const test = suite("trusted addresses");

test("single addresses, ranges of either family, and what lies just beside them", () => {
  const trusted = parseRanges(
    ["192.0.2.7", "10.0.0.0/8,172.16.0.0/12", "2001:db8::/33", "[2001:db9::1]"],
    "trustProxy",
  );
  for (const inside of [
    "192.0.2.7",
    "10.0.0.0",
    "10.255.255.255",
    "172.31.255.255",
    "2001:db8:7fff:ffff::",
    "2001:db9::1",
    "::ffff:10.1.2.3",
  ]) {
    assert.ok(trusted.has(inside), inside);
  }
  for (const outside of [
    "192.0.2.8",
    "11.0.0.0",
    "9.255.255.255",
    "172.32.0.0",
    "172.15.255.255",
    "2001:db8:8000::",
    "2001:db9::2",
    "::ffff:11.1.2.3",
    "::10.0.0.1",
    "localhost",
    "",
    "10.0.0.1 ",
    "010.0.0.1",
  ]) {
    assert.not.ok(trusted.has(outside), outside);
  }
});

test("the same answer twice in a row, whatever was asked between", () => {
  const trusted = parseRanges("loopback", "trustProxy");
  for (const [address, expected] of [
    ["127.0.0.1", true],
    ["127.0.0.1", true],
    ["128.0.0.1", false],
    ["128.0.0.1", false],
    ["127.0.0.1", true],
  ] as const) {
    assert.is(trusted.has(address), expected);
  }
});

test("words", () => {
  const has = (word: string, address: string) => parseRanges(word, "trustProxy").has(address);
  for (const address of ["127.0.0.1", "127.255.0.9", "::1"]) assert.ok(has("loopback", address));
  for (const address of ["10.9.9.9", "172.20.0.1", "192.168.1.1", "fd12::1"]) assert.ok(has("private", address));
  for (const address of ["169.254.1.1", "fe80::1", "fe80::1%2"]) assert.ok(has("linklocal", address));
  for (const address of ["127.0.0.1", "8.8.8.8", "fe80::1", "169.254.169.254", "::1"]) {
    assert.not.ok(has("private", address));
  }
  for (const address of ["8.8.8.8", "2606::1", "127.0.0.1"]) assert.ok(has("all", address));
});

test("a Unix client is trusted by the word unix, and by nothing else", () => {
  const peer = { transport: "unix", path: "/run/x.sock" } as const;
  assert.ok(parseRanges("unix", "trustProxy").hasPeer(peer));
  assert.not.ok(parseRanges("all", "trustProxy").hasPeer(peer));
  assert.not.ok(parseRanges("unix", "trustProxy").has("127.0.0.1"));
  assert.ok(parseRanges("loopback", "trustProxy").hasPeer({ transport: "tcp", hostname: "127.0.0.1", port: 1 }));
});

test("what is shown is what is meant", () => {
  const { shown } = parseRanges(
    ["10.1.2.3/8, loopback", "2001:DB8:0::1", "::ffff:192.0.2.0/120", "unix"],
    "trustProxy",
  );
  assert.equal(shown, ["10.0.0.0/8", "loopback", "2001:db8::1", "192.0.2.0/24", "unix"]);
});

test("anything else is one sentence that names the option and the cure", () => {
  for (const wrong of ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0/8", "::/129", "::1/-1", "fe80::1%eth0"]) {
    assert.throws(() => parseRanges(wrong, "trustProxy"), /^trustProxy: .* write for example [^\n]*$/, wrong);
  }
  for (const wrong of ["localhost", "10.0.0.1,", "*", "1/2/3", "toString"]) {
    assert.throws(() => parseRanges(wrong, "--trust-proxy"), /^--trust-proxy: /, wrong);
  }
  assert.throws(() => parseRanges(5 as never, "trustProxy"), /must be a list/);
  assert.throws(() => parseRanges([5] as never, "trustProxy"), /as text, not number/);
});

test("random ranges and addresses, as node:net's BlockList sees them", () => {
  const seed = Date.now() >>> 0;
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const v4 = () => [10, random(2), random(256), random(256)].join(".");
  const v6 = () => `2001:db8:${random(3).toString(16)}:${random(65536).toString(16)}::${random(65536).toString(16)}`;
  for (let round = 0; round < 300; round++) {
    const address = random(2) === 0 ? v4() : v6();
    const four = isIPv4(address);
    const bits = random(four ? 33 : 129);
    const list = new BlockList();
    list.addSubnet(address, bits, four ? "ipv4" : "ipv6");
    const ours = parseRanges(`${address}/${bits}`, "test");
    for (let i = 0; i < 10; i++) {
      // Node takes IPv4 for a part of ::/95; for us it is a family of its own.
      const asked = four ? v4() : v6();
      const expected = list.check(asked, four ? "ipv4" : "ipv6");
      assert.is(ours.has(asked), expected, `seed ${seed}: ${asked} in ${address}/${bits}`);
    }
  }
});

test.run();
