import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readTicketKeys, TicketKeys, ticketKeys } from "../../src/tls/ticket-keys.ts";
import { start } from "../http/support/server.ts";
import { openssl } from "../support/openssl.ts";
import { run, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";
import { identity } from "../support/tls.ts";

const hello = () => new Response("hello");
const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
type Version = (typeof VERSIONS)[number];

async function ticket(port: number, version: Version): Promise<Buffer> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, minVersion: version, maxVersion: version }); // biome-ignore format: one line
  const [session] = (await once(socket, "session")) as [Buffer];
  socket.destroy();
  return session;
}

/** Whether it is resumed; answered it is in any case. */
async function resumed(port: number, version: Version, session: Buffer): Promise<boolean> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, session, minVersion: version, maxVersion: version }); // biome-ignore format: one line
  await once(socket, "secureConnect");
  const again = socket.isSessionReused();
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(String((await once(socket, "data"))[0]), /hello$/);
  socket.destroy();
  return again;
}

// Before anything fixes this thread's keys.
for (const version of VERSIONS) {
  test(`${version}: a ticket is accepted as long as its key and the next one are used, and no longer`, async () => {
    using server = start(hello, identity);
    const keys = ticketKeys();
    const session = await ticket(server.port, version);
    assert.is(await resumed(server.port, version, session), true);
    const since = keys.secret?.since ?? 0;
    keys.rotate(since + 12 * 3_600_000);
    assert.is(await resumed(server.port, version, session), true, "the key before");
    const next = await ticket(server.port, version);
    keys.rotate(since + 24 * 3_600_000);
    assert.is(await resumed(server.port, version, session), false, "two rotations later");
    assert.is(await resumed(server.port, version, next), true);
  });
}

for (const version of VERSIONS) {
  test(`${version}: of keys that are given the first encrypts, all are accepted, others mean a full handshake`, async () => {
    using server = start(hello, identity);
    const [a, b, c] = [80, 48, 80].map((length) => readTicketKeys(randomBytes(length))[0]);
    ticketKeys().fix([a, b]);
    const session = await ticket(server.port, version);
    ticketKeys().fix([b, a]);
    assert.is(await resumed(server.port, version, session), true);
    ticketKeys().fix([b, c]);
    assert.is(await resumed(server.port, version, session), false);
    // The same name, another key: no ticket of ours.
    const forged = new Uint8Array(c);
    forged.set(a.subarray(0, 16));
    ticketKeys().fix([forged]);
    assert.is(await resumed(server.port, version, session), false);
    // A ticket with a bit turned over.
    ticketKeys().fix([a]);
    assert.is(await resumed(server.port, version, session), true);
  });
}

test("two threads have the same keys at the same time, and nobody's can be found from the next", () => {
  const secret = { bytes: new Uint8Array(32).fill(7), since: 1_000_000 };
  const [one, other] = [new TicketKeys(secret, 1000), new TicketKeys(secret, 1000)];
  assert.equal(one.keys, other.keys);
  const first = one.keys[0];
  one.rotate(1_002_500);
  assert.is(one.keys.length, 2);
  other.rotate(1_001_100);
  assert.equal(other.keys, [one.keys[1], first]);
  other.rotate(1_001_999);
  assert.is(other.secret?.since, 1_001_000);
  other.rotate(1_002_000);
  assert.equal(other.keys, one.keys);
  // One that starts now.
  const late = new TicketKeys(one.secret ?? secret, 1000);
  assert.equal(late.keys, [one.keys[0]]);
  assert.is.not(Buffer.from(late.secret?.bytes ?? []).equals(secret.bytes), true);
  for (const keys of [one, other, late]) keys.fix([]);
});

test("they rotate by themselves", async () => {
  const keys = new TicketKeys({ bytes: randomBytes(32), since: Date.now() }, 20);
  const [first] = keys.keys;
  const alive = setInterval(() => {}, 5);
  while (keys.keys.includes(first)) await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(alive);
  assert.is(keys.keys.length, 2);
  keys.fix([]);
});

test("keys as people write them", () => {
  const [a, b] = [randomBytes(80), randomBytes(48)];
  const [whole, short] = [readTicketKeys(a)[0], readTicketKeys(b)[0]];
  assert.equal(Buffer.from(whole), a);
  assert.is(short.length, 80);
  assert.equal(Buffer.from(short.subarray(0, 16)), b.subarray(0, 16));
  const lines = `# ours\n${a.toString("hex")}\r\n\n${b.toString("base64")}\n`;
  assert.equal(readTicketKeys(lines), [whole, short]);
  assert.equal(readTicketKeys(Buffer.from(lines)), [whole, short]);
  assert.equal(readTicketKeys(`${b.toString("hex")},${a.toString("base64")}`), [short, whole]);
  for (const [text, says] of [
    ["", /there is no key in it/],
    ["# none\n", /there is no key in it/],
    [a.toString("base64").slice(0, -4), /key 1 is not 80 or 48 bytes/],
    [`${a.toString("hex")}\nhello`, /key 2 is not/],
    [`${a.toString("hex")} ${a.toString("hex")}`, /key 1 is not/],
    [`${a.toString("hex")}\n`.repeat(17), /17 keys in it: 16 are the most/],
  ] as const) {
    assert.throws(() => readTicketKeys(text), says, text);
  }
});

const title = "openssl s_client resumes from a file, in both versions";
if (!openssl) skip(test, title, "there is no openssl");
else
  test(title, async () => {
    using server = start(hello, identity);
    ticketKeys().fix(readTicketKeys(randomBytes(80)));
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    const file = join(folder, "session.pem");
    const ask = async (version: string, more: string): Promise<string> => {
      const command = `printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' | timeout 10 openssl s_client -ign_eof -connect 127.0.0.1:${server.port} -${version} ${more}`; // biome-ignore format: one line
      const { stdout, stderr } = await run(["bash", "-c", `${command} 2>&1`]);
      return stdout + stderr;
    };
    for (const version of ["tls1_2", "tls1_3"]) {
      const first = await ask(version, `-sess_out ${file}`);
      assert.match(first, /^New, TLSv1\.[23]/m);
      assert.match(first, /hello/);
      assert.match(await ask(version, `-sess_in ${file}`), /^Reused, TLSv1\.[23]/m);
      const [key] = ticketKeys().keys;
      ticketKeys().fix(readTicketKeys(randomBytes(80)));
      assert.match(await ask(version, `-sess_in ${file}`), /^New, TLSv1\.[23]/m);
      ticketKeys().fix([key]);
    }
  });

test.run();
