// Where the admin port may be: loopback and Unix sockets; everything else only when asked for in so many words.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isLoopback, mayAsk, parseAdminAddress } from "../../src/admin/address.ts";
import { parseIp } from "../../src/net/ip.ts";
import { logged } from "../support/logged.ts";
import { open, type TestAdmin } from "./support/ask.ts";

for (const [text, address] of [
  ["127.0.0.1:9090", { transport: "tcp", hostname: "127.0.0.1", port: 9090 }],
  ["[::1]:9090", { transport: "tcp", hostname: "::1", port: 9090 }],
  ["localhost:0", { transport: "tcp", hostname: "localhost", port: 0 }],
  [":9090", { transport: "tcp", hostname: "::", port: 9090 }],
  ["admin.internal:65535", { transport: "tcp", hostname: "admin.internal", port: 65535 }],
  ["unix:/run/x.sock", { transport: "unix", path: "/run/x.sock" }],
  ["unix:@name", { transport: "unix", path: "@name" }],
] as const) {
  test(`${text} is an address`, () => assert.equal(parseAdminAddress(text), address));
}

for (const [text, says] of [
  ["", /--admin "" is no address with a port: write for example 127\.0\.0\.1:9090/],
  ["9090", /write 127\.0\.0\.1:9090 for this machine only/],
  ["127.0.0.1", /no address with a port/],
  ["127.0.0.1:", /no address with a port/],
  ["127.0.0.1:65536", /no address with a port/],
  ["127.0.0.1:99999", /no address with a port/],
  ["::1:9090", /no address with a port/],
  ["[localhost]:9090", /no address with a port/],
  ["http://127.0.0.1:9090", /no address with a port/],
  ["user@127.0.0.1:9090", /no address with a port/],
  ["unix:", /has no path/],
] as const) {
  test(`"${text}" is none, and the sentence says what would be`, () => {
    assert.throws(() => parseAdminAddress(text), says);
  });
}

for (const [ip, loopback] of [
  ["127.0.0.1", true],
  ["127.255.255.254", true],
  ["::1", true],
  ["::ffff:127.0.0.1", true],
  ["::ffff:10.0.0.1", false],
  ["0.0.0.0", false],
  ["::", false],
  ["128.0.0.1", false],
  ["10.0.0.1", false],
  ["fe80::1", false],
  ["1::1", false],
] as const) {
  test(`${ip} is ${loopback ? "" : "not "}this machine alone`, () => {
    assert.is(isLoopback(parseIp(ip)?.bytes ?? new Uint8Array(4)), loopback);
  });
}

test("names that may ask", () => {
  assert.ok(mayAsk("localhost", undefined));
  assert.ok(mayAsk("[::1]", undefined));
  assert.ok(mayAsk("admin.internal", "Admin.Internal"));
  assert.not(mayAsk("admin.internal", undefined));
  assert.not(mayAsk("evil.example", "admin.internal"));
  assert.not(mayAsk("", undefined));
});

for (const address of [":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0"]) {
  test(`${address} is refused, with why and what to do`, async () => {
    const error = await open({ address }).then(
      () => undefined,
      (error: Error) => error,
    );
    assert.is(error?.name, "AdminError");
    assert.match(error?.message ?? "", /can be reached from other machines/);
    assert.match(
      error?.message ?? "",
      /use 127\.0\.0\.1 or \[::1\], or a Unix socket, or allow it with --admin-insecure/,
    );
    assert.not.match(error?.message ?? "", /\n/);
  });
}

test("with --admin-insecure it is allowed", async () => {
  let opened: TestAdmin | undefined;
  const lines = await logged(async () => {
    opened = await open({ address: "0.0.0.0:0", insecure: true });
  });
  assert.ok(opened);
  await using admin = opened;
  assert.equal(lines, [`Admin port on http://localhost:${admin.port}/, open to other machines`]);
  assert.is((await admin.get("/healthz")).status, 200);
  // Rebinding works as well against an address of the network as against loopback.
  assert.is((await admin.get("/healthz", { headers: { host: "evil.example" } })).status, 421);
});

test("a port that is taken is said in one sentence", async () => {
  await using first = await open();
  const error = await open({ address: `127.0.0.1:${first.port}` }).then(
    () => undefined,
    (error: Error) => error,
  );
  assert.is(error?.name, "AdminError");
  assert.match(error?.message ?? "", new RegExp(`^--admin 127\\.0\\.0\\.1:${first.port}: `));
  assert.match(error?.message ?? "", /another port|stop the server/);
});

test("a name without an address is said in one sentence", async () => {
  const error = await open({ address: "no-such-host.invalid:0" }).then(
    () => undefined,
    (error: Error) => error,
  );
  assert.is(error?.name, "AdminError");
  assert.match(error?.message ?? "", /no-such-host\.invalid/);
});

test.run();
