// The types that come with a template say of Slipway what is true: a program that uses all of them checks against the
// template's declarations alone, and the same program against our sources.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, repository, run, startServer, temporaryFolder } from "../support/process.ts";

const folder = temporaryFolder();
const tsc = join(repository, "node_modules/.bin/tsc");

const program = `
import { broadcast, connect, connectTls, type Conn, go, type Listener, listen, listenTls, proxy, serve, serveConn, serveDir, serveFile, type ServeHandlerInfo, type Server, upgradeWebSocket } from "slipway";

const listener: Listener = listen({ port: 0, hostname: "127.0.0.1" });
const echo = serveConn(listener, async (conn: Conn, signal: AbortSignal) => {
  const buffer = new Uint8Array(64);
  conn.setReadDeadline(Date.now() + 5000);
  conn.setWriteDeadline(new Date(Date.now() + 5000));
  conn.setDeadline(null);
  conn.ref();
  for (let count = await conn.read(buffer); count !== null && !signal.aborted; count = await conn.read(buffer)) {
    await conn.write(buffer.subarray(0, count));
  }
});
async function ask(text: string): Promise<string> {
  const { addr } = listener;
  if (addr.transport !== "tcp") throw new Error("no TCP");
  using conn = await connect({ port: addr.port, hostname: addr.hostname });
  await conn.write(new TextEncoder().encode(text));
  await conn.closeWrite();
  return await new Response(conn.readable).text();
}
export async function secretly(cert: string, key: string): Promise<string | null> {
  using secure = listenTls({ port: 0, hostname: "127.0.0.1", cert, key, alpnProtocols: ["x"] });
  const { port } = secure.addr;
  using conn = await connectTls({ port, hostname: "localhost", caCerts: [cert], alpnProtocols: ["x"], cert, key });
  return (await conn.handshake()).alpnProtocol;
}
const inner = serve(
  {
    port: 0,
    hostname: "127.0.0.1",
    onListen() {},
    readHeaderTimeout: "5s",
    maxConnections: "auto",
    compress: true,
    drainDelay: 0,
    limits: (request) => (request.method === "PUT" ? { maxBodyBytes: "1GiB", readTimeout: "none" } : undefined),
  },
  () => new Response("inner"),
);
// Every option of a proxy.
const pass = proxy(["http://127.0.0.1:3000", new URL("http://127.0.0.1:3001")], {
  balance: "least-requests", host: "upstream", xForwarded: true, name: "edge", connectTimeout: "5s", headerTimeout: 100,
  bodyTimeout: "none", idleTimeout: "30s", maxIdle: 10, tunnelTimeout: "1h", tries: 2, maxFails: 3, failTimeout: "10s",
});
serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, pass).close();
export const wellOnes: number = pass.upstreams.filter(({ state, requests }) => state === "in" && requests < 10).length;
pass.close();
// Every option of files.
export const site = (request: Request): Promise<Response> => serveDir(request, {
  fsRoot: new URL("./public/", import.meta.url), urlRoot: "/site", showIndex: true, cleanUrls: true, showDotfiles: false,
  followSymlinks: false, enableCors: false, immutable: /^\\/assets\\//, fallback: "index.html", notFound: "404.html", quiet: true,
  headers: { "x-a": "b" }, cacheControl: "no-store", precompressed: true,
});
export const file = (request: Request): Promise<Response> => serveFile(request, "a.txt", { headers: ["x-a: b"] });
// Every option and hook that may stand beside a handler.
export const everything: Server = {
  fetch: () => new Response(),
  onError: () => new Response(),
  limits: () => ({ writeTimeout: 5000, minRate: 0 }),
  ready: { db: (signal: AbortSignal) => !signal.aborted, cache: { check: () => true, timeout: "200ms" } },
  port: 1, hostname: "::", unix: "x", listen: [":8000", "fd:3"],
  readHeaderTimeout: "5s", readTimeout: 30_000, writeTimeout: "30s", idleTimeout: "2m", minRate: "4KiB",
  maxHeaderBytes: "1MiB", maxHeaderCount: 256, maxBodyBytes: "none", maxConnections: "auto",
  maxRequestsPerConnection: 1000, drainDelay: "5s", drainIdle: "1s", drainTimeout: "30s",
  admin: "127.0.0.1:9090", adminInsecure: false, logFormat: "json", accessLog: true,
  compress: true, tls: "auto", tlsCert: ["cert.pem"], tlsKey: "key.pem", tlsPfx: ["a.pfx"], tlsOcsp: "ocsp.der", tlsPassphraseFile: "passphrase", tlsTicketKeys: "env:KEYS", hsts: "180d", redirectHttp: ":80", redirectPort: 443, tlsPolicy: "modern", tlsClientAuth: "require", tlsClientCa: "ca.pem",
  proxyProtocol: false, trustProxy: ["10.0.0.0/8"], fetchConnectTimeout: "1s", fetchHeaderTimeout: 5000,
  fetchBodyTimeout: "none", fetchIdleTimeout: "1m", fetchMaxIdlePerHost: 10, fetchMaxIdle: 100, cacheMaxBytes: "1MiB", wsIdleTimeout: "1m", wsMessageTimeout: 5000, wsCloseTimeout: "1s", wsMaxMessageBytes: "4KiB", wsMaxFrameBytes: 4096, wsMaxBufferedBytes: "none", wsCompression: "off", wsMemory: "1MiB", traceTasks: true, stallWarning: "100ms", traceStalls: false,
};
export function chat(request: Request): Response {
  const { socket, response } = upgradeWebSocket(request, { protocol: "chat", idleTimeout: 60 });
  socket.onmessage = async ({ data }) => {
    broadcast([socket], data);
    await socket.write(new Uint8Array([1]));
    await socket.drained();
  };
  return response;
}
export const raw: Server = { connect() {}, drainTimeout: "1m", ready: () => true };
// Never called: what is asked for tells what the address is.
export function addresses(): (string | number)[] {
  const onPort = serve({ onListen: ({ port }) => void port.toFixed() }, (_, info) => new Response(info.remoteAddr.hostname));
  const onPath = serve({ path: "x", onListen: (addr) => void addr.path.trim() }, (_, info) => new Response(info.remoteAddr.path));
  return [onPort.addr.port, onPath.addr.path, inner.addr.hostname];
}
const task = go("nothing", async (signal: AbortSignal) => signal.aborted);

export default {
  async fetch(request: Request, info: ServeHandlerInfo): Promise<Response> {
    void info.completed;
    info.setReadTimeout("2m");
    info.setWriteTimeout(5000);
    info.setMaxBodyBytes("none");
    info.setMinRate(0);
    info.earlyHints({ link: "</app.css>; rel=preload; as=style" });
    info.trailers(async () => ({ "x-checksum": "1" }));
    void (await info.requestTrailers()).get("x-checksum");
    await info.go("beside", (signal) => signal.aborted).finished;
    await task.finished;
    const other = await (await fetch(\`http://127.0.0.1:\${inner.addr.port}/\`)).text();
    return Response.json([await ask("echo"), other, new URL(request.url).pathname, info.remoteAddr.transport]);
  },
};
void echo;
`;

/** Deno's own, by templates/shared/deno.d.ts. */
const ofDeno = `
export async function all(): Promise<void> {
  using file: Deno.FsFile = await Deno.open("x", { read: true });
  const { size, mtime }: Deno.FileInfo = await file.stat();
  for await (const { name, isFile } of Deno.readDir(".")) console.log(name, isFile, size, mtime);
  const { code, stdout } = await new Deno.Command("true", { args: [], stdout: "piped" }).output();
  console.log(code, stdout.length, Deno.env.get("HOME"), Deno.args[0], Deno.build.os, Deno.memoryUsage().rss);
  Deno.addSignalListener("SIGHUP", () => {});
  Deno.writeTextFileSync("x", "y", { append: true });
  const [address] = await Deno.resolveDns("localhost", "A");
  if (address === "") throw new Deno.errors.NotSupported();
  Deno.exit(0);
}
Deno.test("steps", async (t) => void (await t.step("one", () => {})));
Deno.bench("nothing", () => {});
// @ts-expect-error Slipway refuses it.
Deno.openKv;
`;

test("a program of every declaration checks against the template's types, and runs", async () => {
  const made = await run([...fromSource, "new", "shop", "--template", "minimal"], { cwd: folder });
  assert.is(made.code, 0);
  const shop = join(folder, "shop");
  writeFileSync(join(shop, "server.ts"), program);
  writeFileSync(join(shop, "server.test.ts"), "");
  writeFileSync(join(shop, "more.ts"), ofDeno);
  const checked = await run([tsc, "--noEmit"], { cwd: shop });
  assert.is(checked.stdout, "");
  const server = await startServer([...fromSource, "run", "server.ts", "--port", "0"], { cwd: shop });
  assert.equal(await (await fetch(`${server.url}/x`)).json(), ["echo", "inner", "/x", "tcp"]);
  await server.stop();
});

test("Deno.serve tells addresses apart as well", async () => {
  const program = (deno: string) => `
    const byHandler = ${deno}.serve((_, info) => new Response(info.remoteAddr.hostname));
    const onPort = ${deno}.serve({ port: 0, readTimeout: "1m", limits: () => undefined, onListen: ({ port }) => void port.toFixed() }, () => new Response());
    const onPath = ${deno}.serve({ path: "x" }, (_, info) => new Response(info.remoteAddr.path));
    export default [byHandler.addr.port, onPort.addr.port, onPath.addr.path];
  `;
  const shop = join(folder, "shop");
  writeFileSync(join(shop, "server.ts"), program("Deno"));
  assert.is((await run([tsc, "--noEmit"], { cwd: shop })).stdout, "");
  const source = JSON.stringify(join(repository, "src/deno/serve.ts"));
  assert.is(await checkAgainstSources("deno", `import * as ours from ${source};\n${program("ours")}`), "");
});

test("and against our sources", async () => {
  assert.is(await checkAgainstSources("ours", program), "");
});

/** What the compiler says of a program that uses the library of this repository. */
async function checkAgainstSources(name: string, source: string): Promise<string> {
  const ours = join(folder, name);
  mkdirSync(ours);
  writeFileSync(join(ours, "server.ts"), source);
  const config = {
    extends: join(repository, "tsconfig.json"),
    compilerOptions: {
      paths: { slipway: [join(repository, "src/mod.ts")] },
      typeRoots: [join(repository, "node_modules/@types")],
      module: "esnext",
      moduleResolution: "bundler",
    },
    include: [join(ours, "server.ts")],
  };
  writeFileSync(join(ours, "tsconfig.json"), JSON.stringify(config));
  const { stdout } = await run([tsc, "--noEmit"], { cwd: ours });
  return stdout;
}

test.after(endProcesses);
test.run();
