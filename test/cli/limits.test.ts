// One test for each limit, in real time, through the command line: the flag, the answer, the counter, the line in the log.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { LimitName } from "../../src/http/counters.ts";
import { type Client, connect } from "../http/support/client.ts";
import { endProcesses, fromSource, type Server, startServer, temporaryFolder } from "../support/process.ts";

const folder = temporaryFolder();
writeFileSync(
  join(folder, "server.ts"),
  `export default {
    async fetch(request: Request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/never") await new Promise(() => {});
      if (pathname === "/large") return new Response(new Uint8Array(32 * 1024 * 1024));
      return new Response(request.method === "POST" ? await request.text() : "hello");
    },
  };`,
);
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const get = (path: string): string => GET.replace("/", path);
const upload = (length: number): string => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
const CHUNKED = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

interface Case {
  readonly limit: LimitName;
  readonly flags: readonly string[];
  /** What the client does; it is done when the server has ended the connection. */
  readonly attack: (client: Client) => Promise<void> | void;
  /** The status of each answer. */
  readonly answers: readonly number[];
  /** The log's line, but for the limits that everybody meets every day. */
  readonly line?: RegExp;
}

const cases: readonly Case[] = [
  {
    limit: "readHeaderTimeout",
    flags: ["--read-header-timeout", "200ms"],
    attack: (client) => client.write("GET / HT"),
    answers: [408],
    line: /a client did not send the whole head of a request in time/,
  },
  {
    limit: "readTimeout",
    flags: ["--read-timeout", "200ms"],
    attack: (client) => client.write(`${upload(100)}half`),
    answers: [408],
    line: /a client did not send a request's body in time/,
  },
  {
    limit: "readTimeout",
    flags: ["--read-timeout", "200ms", "--min-rate", "1MiB"],
    attack: async (client) => {
      client.write(upload(100_000));
      while (!client.over) {
        client.write("drip");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    answers: [408],
    line: /a client did not send a request's body in time/,
  },
  {
    limit: "writeTimeout",
    flags: ["--write-timeout", "200ms"],
    attack: (client) => client.write(get("/never")),
    answers: [503],
    line: /a client was not answered in time/,
  },
  {
    limit: "idleTimeout",
    flags: ["--idle-timeout", "200ms"],
    attack: (client) => client.write(GET),
    answers: [200],
  },
  {
    limit: "maxHeaderBytes",
    flags: ["--max-header-bytes", "1KiB"],
    attack: (client) => client.write(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(2000)}`),
    answers: [431],
    line: /a client sent a head that is too large/,
  },
  {
    limit: "maxHeaderCount",
    flags: ["--max-header-count", "3"],
    attack: (client) => client.write("GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"),
    answers: [431],
    line: /a client sent a head with too many header fields/,
  },
  {
    limit: "maxBodyBytes",
    flags: ["--max-body-bytes", "1KiB"],
    attack: (client) => client.write(upload(1025)),
    answers: [413],
    line: /a client announced a body of more than 1024 bytes/,
  },
  {
    limit: "maxBodyBytes",
    flags: ["--max-body-bytes", "10"],
    attack: (client) => client.write(`${CHUNKED}b\r\n12345678901\r\n0\r\n\r\n`),
    answers: [413],
    line: /a client sent a body of more than 10 bytes/,
  },
  {
    limit: "maxRequestsPerConnection",
    flags: ["--max-requests-per-connection", "2"],
    attack: (client) => client.write(GET + GET),
    answers: [200, 200],
  },
  {
    limit: "malformedRequest",
    flags: [],
    attack: (client) => client.write("GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n"),
    answers: [400],
    line: /a client sent a request that was refused with 400: malformed header field name/,
  },
];

interface Served {
  readonly server: Server;
  readonly port: number;
  fired(limit: LimitName): Promise<number>;
}

/** A server with an admin socket of its own beside it. */
async function serve(flags: readonly string[]): Promise<Served> {
  const admin = join(folder, `admin-${served++}.sock`);
  const command = [...fromSource, "run", "server.ts", "--port", "0", "--host", "127.0.0.1", ...flags];
  const server = await startServer([...command, "--admin", `unix:${admin}`, "--log-format", "text"], { cwd: folder });
  return {
    server,
    port: server.port,
    async fired(limit) {
      using client = await connect(admin);
      client.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      const text = (await client.untilEnd())[0].text();
      return Number(new RegExp(`^slipway_limits_fired_total\\{limit="${limit}"\\} (\\d+)`, "m").exec(text)?.[1]);
    },
  };
}
let served = 0;

for (const { limit, flags, attack, answers, line } of cases) {
  test(`${limit}: ${flags.join(" ") || "always"}`, async () => {
    const { server, port, fired } = await serve(flags);
    using client = await connect(port);
    await attack(client);
    const responses = await client.untilEnd();
    assert.equal(
      responses.map((response) => response.status),
      answers,
    );
    if (answers.at(-1) !== 200) {
      assert.is(responses.at(-1)?.header("connection"), "close");
      assert.match(responses.at(-1)?.header("content-type") ?? "", /^text\/plain/);
    }
    if (line !== undefined) await server.saw(new RegExp(`${line.source}.* limit=${limit} peer=127\\.0\\.0\\.1:\\d+`));
    assert.is(await fired(limit), 1);
    client.end();
    assert.is((await server.stop()).code, 0);
  });
}

test("writeTimeout of a client that does not read: cut", async () => {
  const { server, port, fired } = await serve(["--write-timeout", "300ms"]);
  using client = await connect(port);
  client.socket.pause();
  client.write(get("/large"));
  await server.saw(/a client did not read a response in time .*limit=writeTimeout/);
  client.socket.resume();
  await client.gone();
  assert.ok(client.bytes.length < 32 * 1024 * 1024);
  assert.is(await fired("writeTimeout"), 1);
  assert.is((await server.stop()).code, 0);
});

test("maxConnections: the third waits until one leaves", async () => {
  const { server, port, fired } = await serve(["--max-connections", "2"]);
  using one = await connect(port);
  using two = await connect(port);
  one.write(GET);
  two.write(GET);
  await Promise.all([one.response(), two.response()]);
  await server.saw(/waits: 2 connections are open, as many as maxConnections allows/);
  using three = await connect(port);
  three.write(GET);
  two.write(GET);
  await two.responses(2);
  assert.is(three.bytes.length, 0);
  one.end();
  assert.is((await three.response()).status, 200);
  assert.ok((await fired("maxConnections")) >= 1);
  for (const client of [two, three]) client.end();
  assert.is((await server.stop()).code, 0);
});

test("drainDelay, drainIdle: what comes meanwhile is answered, and told to close", async () => {
  const { server, port } = await serve(["--drain-delay", "500ms", "--drain-idle", "10s"]);
  using idle = await connect(port);
  using last = await connect(port);
  for (const client of [idle, last]) client.write(GET);
  await Promise.all([idle.response(), last.response()]);
  server.child.kill("SIGTERM");
  // Until the signal has come answers say nothing of an end; then each one does.
  let late: Client;
  for (;;) {
    late = await connect(port);
    late.write(GET);
    if ((await late.response()).header("connection") === "close") break;
    late.end();
  }
  late.end();
  idle.write(GET);
  assert.is((await idle.untilEnd())[1].header("connection"), "close");
  idle.end();
  await refused(port);
  // The delay is over, and the listener closed: only the grace of idle connections lasts.
  last.write(GET);
  assert.is((await last.untilEnd())[1].header("connection"), "close");
  last.end();
  assert.is((await server.finished).code, 0);
});

async function refused(port: number): Promise<void> {
  for (;;) {
    const client = await connect(port).catch(() => undefined);
    if (client === undefined) return;
    client.reset();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("drainTimeout: what is not done by then is cut, and the exit code says so", async () => {
  const { server, port } = await serve(["--drain-timeout", "300ms"]);
  using never = await connect(port);
  never.write(get("/never"));
  using ordinary = await connect(port);
  ordinary.write(GET);
  await ordinary.response();
  server.child.kill("SIGTERM");
  await never.gone();
  assert.is(never.bytes.length, 0);
  const { code, stderr } = await server.finished;
  assert.is(code, 1);
  assert.match(stderr, /still at work .* after SIGTERM: cut \(drainTimeout\)/);
});

test.after(endProcesses);
test.run();
