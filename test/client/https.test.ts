// fetch over https: against node:https and node:tls: the same as over http:, and what is TLS's own: certificates, names,
// resumption, the time of a handshake, ends that are none, redirects between the two.
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { clientCounters } from "../../src/client/counters.ts";
import { type CreateHttpClientOptions, createHttpClient } from "../../src/client/http-client.ts";
import { serve } from "../../src/http/mod.ts";
import { issue } from "../support/issued.ts";
import { repository, run, temporaryFolder } from "../support/process.ts";
import { failure, told, until } from "./support.ts";

const root = issue({ name: "Root of the tests", ca: true });
const leaf = issue({ name: "leaf", issuer: root, dns: ["localhost"], ips: ["127.0.0.1"] });
const trusting = (options: CreateHttpClientOptions = {}) => createHttpClient({ caCerts: [root.cert], ...options });
const ask = (url: string, client: unknown, init: RequestInit = {}) => fetch(url, { ...init, client } as RequestInit);

interface Started {
  readonly base: string;
  readonly port: number;
  readonly sockets: net.Socket[];
  [Symbol.dispose](): void;
}

async function started(server: net.Server, scheme = "https"): Promise<Started> {
  const sockets: net.Socket[] = [];
  server.on("connection", (socket: net.Socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  return {
    base: `${scheme}://localhost:${port}`,
    port,
    sockets,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const node = (answer: http.RequestListener, options: https.ServerOptions = {}) =>
  started(https.createServer({ cert: leaf.cert, key: leaf.key, ...options }, answer));
/** Says bytes over TLS, whatever is asked. */
const saying = (serve: (socket: tls.TLSSocket, head: string) => void, options: tls.TlsOptions = {}) =>
  started(
    tls.createServer({ cert: leaf.cert, key: leaf.key, ...options }, (socket) => {
      socket.on("error", () => {});
      socket.on("data", (head) => serve(socket, String(head)));
    }),
  );
const HELLO = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

const works = suite("https");

works("one connection for calls that follow each other; bodies both ways; headers", async () => {
  using server = await node((request, response) => {
    response.setHeader("x-host", request.headers.host ?? "");
    request.pipe(response);
  });
  using client = trusting();
  const before = clientCounters.handshakes;
  for (const size of [0, 5, 100_000, 3_000_000]) {
    const body = new Uint8Array(size).map((_, i) => i % 253);
    const response = await ask(`${server.base}/x?y`, client, { method: "POST", body });
    assert.is(response.headers.get("x-host"), `localhost:${server.port}`);
    assert.is(response.url, `${server.base}/x?y`);
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(body)), `${size}`);
  }
  const stream = new Response("streamed").body;
  const streamed = await ask(server.base, client, { method: "PUT", body: stream, duplex: "half" } as RequestInit);
  assert.is(await streamed.text(), "streamed");
  assert.is(clientCounters.handshakes - before, 1);
  assert.is(server.sockets.length, 1);
});

works("many at once, over connections that are kept", async () => {
  using server = await node((_, response) => void response.end("x".repeat(50_000)));
  using client = trusting();
  for (let round = 0; round < 2; round++) {
    const calls = Array.from({ length: 30 }, async () => (await (await ask(server.base, client)).text()).length);
    assert.equal([...new Set(await Promise.all(calls))], [50_000]);
  }
});

works("our own server, over both versions", async () => {
  const handler = (_: Request, info: { tls: { protocol?: string } | undefined }) =>
    new Response(info.tls?.protocol ?? "none");
  const address = { port: 0, hostname: "127.0.0.1", cert: leaf.cert, key: leaf.key, onListen() {} };
  await using server = serve(address, handler as never);
  for (const [protocol, options] of [
    ["h2", {}],
    ["http/1.1", { http2: false }],
    ["h2", { http1: false }],
  ] as const) {
    using client = trusting(options);
    assert.is(await (await ask(`https://localhost:${server.addr.port}/`, client)).text(), protocol);
  }
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  works(`${version}: a session is gone on with, by the clients that it was made for`, async () => {
    const options = { minVersion: version, maxVersion: version };
    using server = await node((request, response) => {
      response.setHeader("connection", "close");
      response.end(String((request.socket as tls.TLSSocket).isSessionReused()));
    }, options);
    using client = trusting();
    const before = clientCounters.resumed;
    assert.is(await (await ask(server.base, client)).text(), "false");
    assert.is(await (await ask(server.base, client)).text(), "true");
    assert.is(clientCounters.resumed, before + 1);
    using other = trusting({ cert: leaf.cert, key: leaf.key });
    assert.is(await (await ask(server.base, other)).text(), "false");
    // Another name is another server.
    assert.is(await (await ask(`https://127.0.0.1:${server.port}/`, client)).text(), "false");
  });
}

works("a client's certificate", async () => {
  const me = issue({ name: "me", issuer: root, client: true });
  const options = { requestCert: true, rejectUnauthorized: true, ca: root.cert };
  using server = await node((request, response) => {
    response.end((request.socket as tls.TLSSocket).getPeerCertificate().subject.CN);
  }, options);
  using client = trusting({ cert: me.cert, key: me.key });
  assert.is(await (await ask(server.base, client)).text(), "me");
  using nobody = trusting();
  const error = await failure(ask(server.base, nobody));
  // With TLS 1.3 it is told after the handshake, and node:tls resets right behind.
  assert.match(told(error), /^fetch failed: .*(certificate required|reset|closed)/i);
});

works("redirects from http: to https: and back", async () => {
  using secure = await node((request, response) => {
    if (request.url !== "/back") return response.end(`secure ${request.headers.authorization}`);
    response.writeHead(302, { location: `${plain.base}/end` }).end();
  });
  const plainServer = http.createServer((request, response) => {
    if (request.url === "/end") return response.end("plain again");
    response.writeHead(307, { location: `${secure.base}${request.url === "/go" ? "/" : "/back"}` }).end();
  });
  using plain = await started(plainServer, "http");
  using client = trusting();
  const there = await ask(`${plain.base}/go`, client, { headers: { authorization: "secret" } });
  assert.is(await there.text(), "secure undefined");
  assert.is(there.url, `${secure.base}/`);
  assert.ok(there.redirected);
  assert.is(await (await ask(`${plain.base}/both`, client)).text(), "plain again");
});

works("a proxy's address changes where it goes, not whom it trusts", async () => {
  using server = await node((request, response) => void response.end(request.headers.host));
  using client = trusting({ proxy: { transport: "tcp", hostname: "127.0.0.1", port: server.port } });
  assert.is(await (await ask("https://localhost/", client)).text(), "localhost");
  assert.match(
    told(await failure(ask("https://other.example/", client))),
    /not valid for name "other\.example"; certificate is only valid for /,
  );
});

works("idle connections hold no process", async () => {
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  const program = join(folder, "client.ts");
  writeFileSync(
    program,
    `import { install } from ${JSON.stringify(join(repository, "src/fetch/mod.ts"))};
install(() => import(${JSON.stringify(join(repository, "src/client/mod.ts"))}));
console.log(await (await fetch(process.argv[2])).text());
`,
  );
  using server = await node((_, response) => void response.end("hello"));
  writeFileSync(join(folder, "root.pem"), root.cert);
  for (const env of [{ NODE_EXTRA_CA_CERTS: join(folder, "root.pem") }, { SSL_CERT_FILE: join(folder, "root.pem") }]) {
    const { code, stdout, stderr } = await run([process.execPath, program, server.base], { env, timeoutSeconds: 10 });
    assert.is(stdout, "hello\n", stderr);
    assert.is(code, 0);
  }
  const nobody = await run([process.execPath, program, server.base], { timeoutSeconds: 10 });
  assert.match(nobody.stderr, /invalid peer certificate: UnknownIssuer: its issuer \(Root of the tests\) is unknown/);
});

const fails = suite("what fails");

async function cause(promise: Promise<unknown>): Promise<string> {
  const error = await failure(promise);
  assert.instance(error, TypeError);
  assert.ok(!told(error).includes("\n"));
  return `${(error.cause as Error | undefined)?.name}: ${told(error)}`;
}

fails("certificates", async () => {
  using client = trusting();
  const attempt = async (wish: object): Promise<string> => {
    const { cert, key } = issue({ name: "leaf", issuer: root, dns: ["localhost"], ...wish });
    using server = await node((_, response) => void response.end(), { cert, key });
    return await cause(ask(server.base, client));
  };
  assert.match(await attempt({ from: -9, to: -1 }), /^InvalidData: fetch failed: .*leaf has expired/);
  assert.match(await attempt({ from: 3 }), /is not valid yet/);
  assert.match(
    await attempt({ dns: ["other.example"] }),
    /name "localhost"; certificate is only valid for DnsName\("other\.example"\)/,
  );
  assert.match(await attempt({ issuer: undefined }), /it is self-signed \(leaf\)/);
  const before = clientCounters.handshakesFailed;
  await attempt({ from: 3 });
  assert.is(clientCounters.handshakesFailed, before + 1);
});

fails("a server without TLS, one that leaves, one that is silent", async () => {
  using plain = await started(
    http.createServer((_, response) => void response.end()),
    "https",
  );
  assert.match(await cause(fetch(plain.base)), /InvalidData: .*the server does not speak TLS there/);
  using leaving = await started(net.createServer((socket) => void socket.once("data", () => socket.end())));
  assert.match(await cause(fetch(leaving.base)), /UnexpectedEof: .*in the middle of the TLS handshake/);
  using silent = await started(net.createServer(() => {}));
  using client = trusting({ connectTimeout: 50 });
  assert.match(await cause(ask(silent.base, client)), /TimedOut: .*the TLS handshake was not done in time/);
  assert.is(clientCounters.connecting, 0);
});

fails("a signal ends a handshake", async () => {
  using silent = await started(net.createServer(() => {}));
  const controller = new AbortController();
  const call = failure(fetch(silent.base, { signal: controller.signal }));
  await until(() => silent.sockets.length === 1);
  controller.abort("enough");
  assert.is(await call, "enough" as never);
  await until(() => silent.sockets[0].destroyed || silent.sockets[0].readableEnded || clientCounters.connecting === 0);
  assert.is(clientCounters.connecting, 0);
});

fails("a body without a length that is cut off without close_notify", async () => {
  const head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
  using rude = await saying((socket) => {
    socket.write(`${head}half`, () => (socket as unknown as { _parent?: net.Socket })._parent?.destroySoon());
    setImmediate(() => rude.sockets[0].destroySoon());
  });
  using client = trusting();
  const response = await ask(rude.base, client);
  assert.match(told(await failure(response.text())), /closed the connection before the response's body was complete/);
  using polite = await saying((socket) => socket.end(`${head}whole`));
  assert.is(await (await ask(polite.base, client)).text(), "whole");
});

fails("a kept connection that ended is nobody's fault", async () => {
  let count = 0;
  using server = await saying((socket) => {
    socket.write(HELLO);
    if (++count === 1) setImmediate(() => socket.end());
  });
  using client = trusting();
  for (let i = 0; i < 5; i++) assert.is(await (await ask(server.base, client)).text(), "hello");
});

for (const one of [works, fails]) one.run();
