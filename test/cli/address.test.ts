// Where a server listens: flag beats environment beats file beats default.
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  chooseAddress,
  displayAddress,
  wishFromEnvironment,
  wishFromFile,
  wishFromFlags,
} from "../../src/cli/address.ts";

const choose = (flags: object, env: Record<string, string>, file: Record<string, unknown>) =>
  chooseAddress([wishFromFlags(flags), wishFromEnvironment(env), wishFromFile(file, "server.ts")]);
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

test("shown so that it can be clicked on", () => {
  assert.is(displayAddress({ transport: "tcp", hostname: "0.0.0.0", port: 80 }, "http"), "http://localhost:80/");
  assert.is(displayAddress({ transport: "tcp", hostname: "::", port: 80 }, "http"), "http://localhost:80/");
  assert.is(displayAddress({ transport: "tcp", hostname: "::1", port: 80 }, "http"), "http://[::1]:80/");
  assert.is(displayAddress({ transport: "tcp", hostname: "10.0.0.1", port: 80 }, "tcp"), "tcp://10.0.0.1:80");
  assert.is(displayAddress({ transport: "unix", path: "/x" }, "http"), "unix:/x");
});

test.run();
