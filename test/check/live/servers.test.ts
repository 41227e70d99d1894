// The attacks against real servers: ours with low limits, which stands all of them, and deliberately bad ones.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CheckServerOptions, checkServer } from "../../../src/check/live/mod.ts";
import { type Ip, parseIp } from "../../../src/net/ip.ts";
import { eventually, start } from "../../http/support/server.ts";
import { temporaryFolder } from "../../support/process.ts";
import { skip } from "../../support/skip.ts";

interface Report {
  readonly failed: boolean;
  readonly attacks: readonly { readonly id: string; readonly verdict: string; readonly came: string }[];
}

/** Runs a check, and gives its exit code and its report. */
async function check(target: string, options: CheckServerOptions): Promise<{ code: number; report: Report }> {
  let text = "";
  const code = await checkServer(target, { json: true, out: (said) => void (text += said), err() {}, ...options });
  return { code, report: text === "" ? { failed: true, attacks: [] } : JSON.parse(text) };
}

function verdicts({ attacks }: Report, pattern = /./): string[] {
  return attacks.filter(({ id }) => pattern.test(id)).map(({ id, verdict, came }) => `${verdict} ${id}: ${came}`);
}

const closers: (() => void)[] = [];
test.after(() => {
  for (const close of closers) close();
});

function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/** Answers every empty line, whatever stands before it, never looks at bodies, and never lets go. */
function careless(): Server {
  return createServer((socket) => {
    let text = "";
    socket.setEncoding("latin1").on("data", (data: string) => {
      text += data;
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const close = /^connection: close/im.test(text.slice(0, end));
        text = text.slice(end + 4);
        socket.write(OK);
        if (close) return socket.end();
      }
    });
  });
}

test("our own server stands all of a quick check", async () => {
  using server = start(
    async (request) => new Response(request.method === "POST" ? `${(await request.bytes()).length}` : "hello"),
    { readHeaderTimeout: "300ms", readTimeout: "2s" },
  );
  const { report } = await check(server.url, { quick: true });
  // How long other clients waited is the machine's affair too; that they were answered is the server's.
  const measured = /^load\/(?!alive|strangers)/;
  const bad = report.attacks.filter(({ id, verdict }) => verdict !== "pass" && !measured.test(id));
  assert.equal(bad, []);
  for (const line of verdicts(report, measured)) {
    assert.match(line, /p99 of other clients .* without, .* with/);
    assert.not.match(line, /got no answer/);
  }
  for (const family of ["slow", "limits", "framing", "load", "http"]) {
    assert.ok(verdicts(report, new RegExp(`^${family}/`)).length > 3, family);
  }
  await eventually(() => server.server.connections === 0, "every connection of the check is closed");
});

test("a careless server fails: smuggling, silence, bodies without end", async () => {
  const port = await listen(careless());
  const only = new Set([
    "slow/silent",
    "slow/partial-head",
    "framing/te-cl",
    "framing/host-missing",
    "framing/cl-plus",
    "framing/chunk-extension-lf",
    "limits/announced-length",
    "limits/header-line",
    "http/head",
  ]);
  const { code, report } = await check(`http://127.0.0.1:${port}`, { quick: true, only: ({ id }) => only.has(id) });
  assert.is(report.attacks.length, only.size);
  assert.equal(
    report.attacks.filter(({ verdict }) => verdict !== "fail"),
    [],
  );
  assert.is(code, 1);
});

test("what comes after the answers matters: CL.TE by a server that reads the length", async () => {
  // Takes Content-Length where both stand, and keeps the connection: the front of a smuggling pair.
  const port = await listen(
    createServer((socket) => {
      let text = "";
      socket.setEncoding("latin1").on("data", (data: string) => {
        text += data;
        for (;;) {
          const end = text.indexOf("\r\n\r\n");
          if (end < 0) return;
          const head = text.slice(0, end);
          const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
          if (text.length < end + 4 + length) return;
          text = text.slice(end + 4 + length);
          socket.write(OK);
          if (/connection: close/i.test(head)) return socket.end();
        }
      });
    }),
  );
  const only = ({ id }: { id: string }): boolean => /^framing\/(cl-te|te-cl|te-xchunked|get-body)$/.test(id);
  const { report } = await check(`http://127.0.0.1:${port}`, { quick: true, only });
  const found = Object.fromEntries(report.attacks.map(({ id, verdict }) => [id, verdict]));
  assert.equal(found, {
    "framing/cl-te": "fail",
    "framing/te-cl": "fail",
    "framing/te-xchunked": "fail",
    "framing/get-body": "pass",
  });
});

test("a server that dies of an attack fails, and the check ends", async () => {
  const server = careless();
  const port = await listen(server);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("data", (data) => {
      if (!String(data).includes("BREW")) return;
      server.close();
      for (const each of sockets) each.destroy();
    });
  });
  const only = ({ id }: { id: string }): boolean => id === "http/method" || id === "load/alive";
  const { code, report } = await check(`http://127.0.0.1:${port}`, { quick: true, only });
  assert.match(verdicts(report, /alive/)[0], /^fail load\/alive: 0 of 50 answered/);
  assert.is(code, 1);
});

test("what cannot be judged is refused with a sentence", async () => {
  const answers = new Map([
    ["/missing-length", "HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"],
    ["/large", `HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n${"a".repeat(99_999)}`],
    ["/ssh", "SSH-2.0-OpenSSH\r\n"],
  ]);
  const port = await listen(
    createServer((socket) => {
      socket.on("data", (data) => socket.end(answers.get(String(data).split(" ")[1]) ?? OK));
    }),
  );
  for (const [path, sentence] of [
    ["/missing-length", /answered with 500: name a path that is served/],
    ["/large", /more than 64 KiB/],
    ["/ssh", /gave no HTTP answer/],
  ] as const) {
    let said = "";
    const code = await checkServer(`http://127.0.0.1:${port}${path}`, {
      quick: true,
      err: (text) => void (said += text),
    });
    assert.is(code, 2, path);
    assert.match(said, sentence);
  }
  let said = "";
  assert.is(await checkServer(`http://127.0.0.1:${port}`, { path: "/a b", err: (text) => void (said += text) }), 2);
  assert.match(said, /is no path/);
});

test("a name is asked for once, and the address that was checked is connected to", async () => {
  using server = start(() => new Response("hello"));
  let asked = 0;
  const lookup = async (): Promise<Ip[]> => [parseIp(asked++ === 0 ? "127.0.0.1" : "192.0.2.1") as Ip];
  const only = ({ id }: { id: string }): boolean => id === "http/date" || id === "http/pipeline";
  const { code, report } = await check(`http://shop.test:${server.port}`, { quick: true, lookup, only });
  assert.equal(verdicts(report).length, 2);
  assert.is(code, 0);
  assert.is(asked, 1);
});

test("Unix sockets", async () => {
  const path = join(temporaryFolder(), "s");
  using _server = start(() => new Response("hello"), { path, port: undefined, hostname: undefined });
  const { code, report } = await check(`unix:${path}`, { quick: true, only: ({ id }) => /^(http|framing)\//.test(id) });
  assert.equal(
    report.attacks.filter(({ verdict }) => verdict !== "pass"),
    [],
  );
  assert.is(code, 0);
});

const folder = temporaryFolder();
const certificate = spawnSync(
  "openssl",
  [
    ..."req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=localhost -addext subjectAltName=DNS:localhost".split(" "),
    ...["-keyout", join(folder, "key"), "-out", join(folder, "cert")],
  ],
  { timeout: 30_000 },
);
if (certificate.status === 0) {
  test("https: facts of TLS, and the attacks under it", async () => {
    const server = createHttps(
      {
        key: readFileSync(join(folder, "key")),
        cert: readFileSync(join(folder, "cert")),
        minVersion: "TLSv1.1",
        ciphers: "ALL:@SECLEVEL=0",
      },
      (_request, response) => response.end("hello"),
    );
    const port = await listen(server);
    const only = ({ id }: { id: string }): boolean => /^tls\/|^http\/(date|head|pipeline)|^framing\/cl-cl/.test(id);
    const { code, report } = await check(`https://localhost:${port}`, { quick: true, only });
    const found = Object.fromEntries(report.attacks.map(({ id, verdict }) => [id, verdict]));
    assert.equal(found, {
      "framing/cl-cl": "pass",
      "http/date": "pass",
      "http/head": "pass",
      "http/pipeline": "pass",
      "tls/tls-1.0": "pass",
      "tls/tls-1.1": "fail",
      "tls/tls-1.3": "pass",
      "tls/weak-ciphers": "fail",
      "tls/certificate": "warn",
    });
    assert.match(verdicts(report, /certificate/)[0], /valid to .*: [23] days left/);
    assert.is(code, 1);
  });
} else skip(test, "https", "openssl is not installed, so there is no certificate");

test.run();
