// What check may attack: loopback and Unix sockets, whatever way they are written, and nothing else.
import { type AddressInfo, createServer } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkServer } from "../../../src/check/live/mod.ts";
import { findTarget, type Lookup, TargetError } from "../../../src/check/live/target.ts";
import { type Ip, parseIp } from "../../../src/net/ip.ts";

const nobody: Lookup = async (name) => {
  throw new Error(`nobody should ask for ${name}`);
};
const leadsTo =
  (...addresses: string[]): Lookup =>
  async () =>
    addresses.map((address) => parseIp(address) as Ip);

async function refused(text: string, lookup: Lookup = nobody): Promise<string> {
  try {
    const { addresses } = await findTarget(text, lookup);
    return assert.unreachable(`${text} was accepted, at ${addresses}`) as never;
  } catch (error) {
    assert.instance(error, TargetError, `${text}: ${error}`);
    return (error as Error).message;
  }
}

test("loopback addresses are accepted, however they are written", async () => {
  for (const [text, address] of [
    ["http://127.0.0.1:8000", "127.0.0.1"],
    ["http://127.1.2.3/", "127.1.2.3"],
    ["http://[::1]:8000/a?b", "::1"],
    ["http://2130706433/", "127.0.0.1"],
    ["http://0x7f.1/", "127.0.0.1"],
    ["http://[::ffff:127.0.0.1]/", "127.0.0.1"],
    ["127.0.0.1:8000", "127.0.0.1"],
  ]) {
    assert.equal((await findTarget(text, nobody)).addresses, [address], text);
  }
});

test("what a URL says is kept", async () => {
  const target = await findTarget("https://shop.test:8443/a?b#c", leadsTo("127.0.0.1", "::1"));
  assert.equal(target.addresses, ["127.0.0.1", "::1"]);
  assert.is(target.host, "shop.test:8443");
  assert.is(target.serverName, "shop.test");
  assert.is(target.path, "/a?b");
  assert.is(target.port, 8443);
  assert.ok(target.secure);
  assert.is((await findTarget("http://localhost")).port, 80);
  assert.is((await findTarget("localhost:81")).port, 81);
  assert.is((await findTarget("unix:/run/x.sock")).unix, "/run/x.sock");
});

test("every other address is refused, with a sentence that says why", async () => {
  for (const text of [
    "http://192.0.2.1:8000",
    "http://10.0.0.1",
    "http://0.0.0.0:8000",
    "http://[::]:8000",
    "http://[2001:db8::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[fe80::1]/",
    "http://0x0a000001/",
    "192.0.2.1:80",
  ]) {
    assert.match(await refused(text), /not a loopback address: check attacks servers on this machine only/, text);
  }
});

test("a name is refused unless every address of it is loopback", async () => {
  assert.match(await refused("http://shop.test", leadsTo("192.0.2.7")), /leads to 192\.0\.2\.7/);
  assert.match(await refused("http://shop.test", leadsTo("127.0.0.1", "192.0.2.7")), /leads to 192\.0\.2\.7, which/);
  assert.match(await refused("http://shop.test", leadsTo("::1", "2001:db8::2")), /2001:db8::2/);
  assert.match(await refused("http://shop.test", leadsTo()), /has no address/);
});

test("what is no server's address is refused", async () => {
  for (const text of ["", "ftp://localhost/", "http://", "file:///etc/passwd", "http://a b/", "unix:"]) {
    assert.match(await refused(text), /no address of a server|needs a path/, text);
  }
  assert.match(await refused("http://user:secret@localhost/"), /leave them out/);
  assert.not.match(await refused("http://user:secret@localhost/"), /secret/);
});

test("refused and unreachable targets end with 2 and one line", async () => {
  for (const [target, line] of [
    ["http://192.0.2.1:8000", /^slipway: 192\.0\.2\.1 is not a loopback address: .*\n$/],
    ["http://127.0.0.1:1", /^Attacking .*\nslipway: Connection refused .*127\.0\.0\.1:1; nothing listens there\n$/],
    ["https://127.0.0.1:1", /^Attacking .*\nslipway: Connection refused .*127\.0\.0\.1:1; nothing listens there\n$/],
    ["unix:/nonexistent.sock", /^Attacking .*\nslipway: .*connect to unix:\/nonexistent\.sock.*\n$/],
  ] as const) {
    let said = "";
    const err = (text: string): void => void (said += text);
    assert.is(await checkServer(target, { err, out: () => assert.unreachable("no report") }), 2, target);
    assert.match(said, line);
  }
});

test("https to a server that speaks none says what to write, on one line", async () => {
  // An answer in clear, and an end without one.
  for (const [answer, line] of [
    ["HTTP/1.1 400 Bad Request\r\n\r\n", /^slipway: 127\.0\.0\.1:\d+ does not answer in TLS; .*write http:\/\/\n$/],
    ["", /^slipway: 127\.0\.0\.1:\d+ ended the connection in the TLS handshake; .*write http:\/\/\n$/],
  ] as const) {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(answer));
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    let said = "";
    const err = (text: string): void => void (said += text);
    try {
      assert.is(await checkServer(`https://127.0.0.1:${port}`, { err, json: true }), 2);
    } finally {
      server.close();
    }
    assert.match(said, line);
  }
});

test("a process id that is none is refused as it was written", async () => {
  for (const pid of ["abc", "", "1e3", "-5", "4711x"]) {
    let said = "";
    const err = (text: string): void => void (said += text);
    assert.is(await checkServer("http://127.0.0.1:1", { err, pid }), 2);
    assert.is(said, `slipway: --pid "${pid}" is no process id: write its number, as in --pid 4711\n`);
  }
});

test.run();
