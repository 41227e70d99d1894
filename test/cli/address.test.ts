// Where a server listens: flag beats environment beats file beats default.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseAddresses, displayAddress } from "../../src/cli/address.ts";
import { environmentLevel, fileLevel, flagsLevel } from "../../src/cli/settings.ts";
import { resolve } from "../../src/options/resolve.ts";

const all = (flags: Record<string, unknown>, env: Record<string, string>, file: Record<string, unknown>) =>
  chooseAddresses(resolve([flagsLevel(flags), environmentLevel(env), fileLevel(file, "server.ts")]));
const choose = (...levels: Parameters<typeof all>) => {
  const addresses = all(...levels);
  assert.is(addresses.length, 1);
  return addresses[0];
};
const tcp = (hostname: string, port: number) => ({ transport: "tcp", hostname, port });
const unix = (path: string) => ({ transport: "unix", path });

test("defaults", () => assert.equal(choose({}, {}, {}), tcp("0.0.0.0", 8000)));
test("file beats default", () => assert.equal(choose({}, {}, { port: 1 }), tcp("0.0.0.0", 1)));
test("environment beats file", () => assert.equal(choose({}, { SLIPWAY_PORT: "2" }, { port: 1 }), tcp("0.0.0.0", 2)));
test("flag beats environment", () =>
  assert.equal(choose({ port: "3" }, { SLIPWAY_PORT: "2" }, { port: 1 }), tcp("0.0.0.0", 3)));
test("port and host are chosen one by one", () =>
  assert.equal(choose({ port: "3" }, { SLIPWAY_HOST: "::1" }, { hostname: "127.0.0.1", port: 1 }), tcp("::1", 3)));
test("a flag's port beats the file's path", () =>
  assert.equal(choose({ port: "3" }, {}, { unix: "/x" }), tcp("0.0.0.0", 3)));
test("a flag's path beats the environment's port", () =>
  assert.equal(choose({ unix: "/x" }, { SLIPWAY_PORT: "2" }, { port: 1 }), unix("/x")));
test("the environment's path beats the file's port", () =>
  assert.equal(choose({}, { SLIPWAY_UNIX: "/x" }, { port: 1 }), unix("/x")));
test("the file's path", () => {
  assert.equal(choose({}, {}, { unix: "/x" }), unix("/x"));
  assert.equal(choose({}, {}, { path: "/x" }), unix("/x"));
});
test("an empty variable is no wish", () =>
  assert.equal(choose({}, { SLIPWAY_PORT: "", SLIPWAY_HOST: "", SLIPWAY_UNIX: "" }, {}), tcp("0.0.0.0", 8000)));
test("both in the environment", () =>
  assert.throws(() => choose({}, { SLIPWAY_PORT: "1", SLIPWAY_UNIX: "/x" }, {}), /both set/));
test("port 0 to 65535", () => {
  assert.equal(choose({ port: "0" }, {}, {}), tcp("0.0.0.0", 0));
  assert.equal(choose({ port: "65535" }, {}, {}), tcp("0.0.0.0", 65535));
  assert.throws(() => choose({ port: "65536" }, {}, {}), /from 0 \(any free port\) to 65535/);
});

test("several listeners, from every place", () => {
  const four = [tcp("0.0.0.0", 80), tcp("::1", 81), unix("/x.sock"), { transport: "fd", fd: "3" }];
  const texts = [":80", "[::1]:81", "unix:/x.sock", "fd:3"];
  assert.equal(all({ listen: texts }, {}, { port: 1 }), four);
  assert.equal(all({}, { SLIPWAY_LISTEN: texts.join(",") }, {}), four);
  assert.equal(all({}, { SLIPWAY_LISTEN: texts.join(" ") }, {}), four);
  assert.equal(all({}, {}, { listen: texts }), four);
  assert.equal(all({}, {}, { listen: "localhost:80" }), [tcp("localhost", 80)]);
  assert.equal(all({ listen: ["8080"] }, {}, {}), [tcp("0.0.0.0", 8080)]);
  // A name from a systemd unit.
  assert.equal(all({ listen: ["fd:web"] }, {}, {}), [{ transport: "fd", fd: "web" }]);
});
test("the strongest place decides what kind of address it is", () => {
  assert.equal(all({ port: "1" }, { SLIPWAY_LISTEN: ":2" }, { unix: "/x" }), [tcp("0.0.0.0", 1)]);
  assert.equal(all({}, { SLIPWAY_LISTEN: ":2" }, { unix: "/x" }), [tcp("0.0.0.0", 2)]);
  assert.equal(all({}, { SLIPWAY_UNIX: "/y" }, { listen: ":2" }), [unix("/y")]);
});
test("what is no address is said with what is one", () => {
  for (const bad of ["here", ":", "::1:80", "[::1]", ":65536", ":80x", "unix:", "fd:", "fd:2", "http://x:1", "a b"]) {
    assert.throws(() => all({ listen: [bad] }, {}, {}), /--listen must/, bad);
  }
  assert.throws(() => all({}, {}, { listen: [":x"] }), /server\.ts: 'listen' of the default export must be an address/);
  assert.throws(() => all({}, { SLIPWAY_LISTEN: "x" }, {}), /the environment's SLIPWAY_LISTEN must be an address/);
  assert.throws(() => all({ listen: [":1"], port: "1" }, {}, {}), /--listen and --port exclude each other/);
  assert.throws(
    () => all({}, { SLIPWAY_LISTEN: ":1", SLIPWAY_UNIX: "x" }, {}),
    /SLIPWAY_LISTEN and SLIPWAY_UNIX are both/,
  );
  assert.throws(() => all({}, {}, { listen: ":1", port: 1 }), /both 'port' and 'listen'/);
});

test("shown so that it can be clicked on", () => {
  assert.is(displayAddress({ transport: "tcp", hostname: "0.0.0.0", port: 80 }, "http"), "http://localhost:80/");
  assert.is(displayAddress({ transport: "tcp", hostname: "::", port: 80 }, "http"), "http://localhost:80/");
  assert.is(displayAddress({ transport: "tcp", hostname: "::1", port: 80 }, "http"), "http://[::1]:80/");
  assert.is(displayAddress({ transport: "tcp", hostname: "10.0.0.1", port: 80 }, "tcp"), "tcp://10.0.0.1:80");
  assert.is(displayAddress({ transport: "unix", path: "/x" }, "http"), "unix:/x");
});

test.run();
