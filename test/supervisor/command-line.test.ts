/** The supervisor as people meet it: `slipway run` and compiled servers under restarts, systemd's variables and proxies. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { listenDatagram } from "../../src/net/mod.ts";
import { slipwayBinary } from "../support/binary.ts";
import { endProcesses, fromSource, run, type Started, start, startServer } from "../support/process.ts";
import { project } from "../support/project.ts";

const test = suite("supervised servers");
const successors = new Set<number>();
test.after(() => {
  for (const pid of successors) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
  endProcesses();
});

const program = (version: string): string => `
export default {
  fetch(request: Request, info: { remoteAddr: { hostname?: string } }) {
    return new Response(\`${version} \${process.pid} \${info.remoteAddr.hostname} \${request.url}\`);
  },
};
`;

interface Answer {
  readonly version: string;
  readonly pid: number;
  readonly rest: string;
}

function ask(to: { port: number } | { socketPath: string }, agent?: Agent, headers = {}, path = "/"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get({ ...to, host: "127.0.0.1", path, agent: agent ?? false, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      response.on("end", () => {
        const [version, pid, ...rest] = text.split(" ");
        resolve({ version, pid: Number(pid), rest: rest.join(" ") });
      });
      response.on("error", reject);
    }).on("error", reject);
  });
}

async function takenOver(started: Started, after = 0): Promise<number> {
  const match = await started.saw(new RegExp(`SIGUSR2: process (?!${after}\\b)(\\d+) has taken over`));
  const pid = Number(match[1]);
  successors.add(pid);
  return pid;
}

/** The end of the process, whose pipes its successor keeps open. */
function exited({ child }: Started): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", resolve));
}

function runs(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
  } catch {
    return false;
  }
}

async function end(pid: number): Promise<void> {
  process.kill(pid, "SIGTERM");
  const until = performance.now() + 20_000;
  while (runs(pid)) {
    if (performance.now() > until) throw new Error(`process ${pid} does not end`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  successors.delete(pid);
}

test("run: a changed file is served after SIGUSR2; clients that honour Connection: close lose nothing", async () => {
  const folder = project({ "server.ts": program("one") });
  const file = join(folder, "server.ts");
  const started = await startServer([
    ...fromSource,
    "run",
    file,
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    "--admin",
    "127.0.0.1:0",
  ]);
  const { port } = started;
  let over = false;
  const versions = new Map<string, number>();
  const clients = [1, 2, 3, 4].map(async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!over) {
      const { version } = await ask({ port }, agent);
      versions.set(version, (versions.get(version) ?? 0) + 1);
    }
    agent.destroy();
  });
  writeFileSync(file, program("two"));
  started.child.kill("SIGUSR2");
  const next = await takenOver(started);
  assert.is(await exited(started), 0);
  assert.equal(await ask({ port }).then(({ version, pid }) => [version, pid]), ["two", next]);
  over = true;
  await Promise.all(clients);
  assert.ok((versions.get("one") ?? 0) > 0 && (versions.get("two") ?? 0) > 0);
  await end(next);
});

test("run: a service that is stopped just after its restart: the old process finishes all the same", async () => {
  const folder = project({
    "server.ts": `
      export default {
        async fetch(request: Request) {
          if (request.url.endsWith("/slow")) await new Promise((resolve) => setTimeout(resolve, 1200));
          return new Response(\`one \${process.pid}\`);
        },
      };`,
  });
  const command = [...fromSource, "run", join(folder, "server.ts"), "--host", "127.0.0.1", "--port", "0"];
  const started = await startServer([...command, "--drain-idle", "50ms"]);
  const slow = ask({ port: started.port }, undefined, {}, "/slow");
  // Answered behind it: so that one has begun.
  await ask({ port: started.port });
  started.child.kill("SIGUSR2");
  const next = await takenOver(started);
  // systemd signals every process of the service.
  started.child.kill("SIGTERM");
  const [{ pid }] = await Promise.all([slow, end(next)]);
  assert.is(pid, started.child.pid);
  assert.is(await exited(started), 0);
});

test("run: a program that does not build, or throws, leaves the one that runs alone", async () => {
  const folder = project({ "server.ts": program("one") });
  const file = join(folder, "server.ts");
  const started = await startServer([...fromSource, "run", file, "--host", "127.0.0.1", "--port", "0"]);
  for (const [broken, reason] of [
    ["export default {", /Expected/],
    ["throw new Error('no database')", /no database/],
  ] as const) {
    writeFileSync(file, broken);
    const seen = started.stderr().length;
    started.child.kill("SIGUSR2");
    await started.saw(reason);
    while (!/this one goes on/.test(started.stderr().slice(seen)))
      await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(await ask({ port: started.port }).then(({ version, pid }) => [version, pid]), [
      "one",
      started.child.pid,
    ]);
  }
  assert.is((await started.stop()).code, 0);
});

test("run: Deno.serve and Deno.listen at the top level take the sockets over as well", async () => {
  const folder = project({
    "server.ts": `
      Deno.serve({ port: 0, hostname: "127.0.0.1" }, () => new Response(\`serve \${process.pid}\`));
      for await (const conn of Deno.listen({ transport: "unix", path: "echo.sock" })) {
        await conn.read(new Uint8Array(4096));
        await conn.write(new TextEncoder().encode(\`HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\nlisten \${process.pid}\`));
        conn.close();
      }`,
  });
  const started = start([...fromSource, "run", "server.ts"], { cwd: folder });
  const port = Number((await started.saw(/Listening on http:\/\/127\.0\.0\.1:(\d+)/))[1]);
  const socketPath = join(folder, "echo.sock");
  while (!existsSync(socketPath)) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.is((await ask({ socketPath })).pid, started.child.pid);
  // Ready without having been told: a while after it listens. Until then, and while one is under way, it refuses.
  while (!started.stderr().includes("has taken over")) {
    if (started.child.exitCode === null) started.child.kill("SIGUSR2");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const next = await takenOver(started);
  assert.is(await exited(started), 0);
  assert.is((await ask({ port })).pid, next);
  assert.is((await ask({ socketPath })).pid, next);
  await end(next);
});

test("compiled: the file on disk is replaced, or the link to it is turned; SIGUSR2 runs what is there now", async () => {
  const binary = await slipwayBinary();
  const folder = project({ "one.ts": program("one"), "two.ts": program("two"), "three.ts": program("three") });
  for (const name of ["one", "two", "three"]) {
    const compiled = await run([binary, "compile", `${name}.ts`, "-o", `releases-${name}`], { cwd: folder });
    assert.is(compiled.code, 0, compiled.stderr);
  }
  const server = join(folder, "server");
  copyFileSync(join(folder, "releases-one"), server);
  const path = join(folder, "s.sock");
  const notify = join(folder, "notify");
  using manager = listenDatagram({ transport: "unixpacket", path: notify });
  const heard = async () => new TextDecoder().decode((await manager.receive())[0]);
  const started = start([server, "--unix", path], { env: { NOTIFY_SOCKET: notify } });
  assert.is(await heard(), `READY=1\nSTATUS=Listening on unix:${path}`);
  assert.is((await ask({ socketPath: path })).version, "one");
  // As package managers and mv do it: another file under the same name.
  renameSync(join(folder, "releases-two"), server);
  started.child.kill("SIGUSR2");
  const second = await takenOver(started);
  assert.is(await heard(), `MAINPID=${second}`);
  assert.match(await heard(), /^READY=1/);
  assert.is(await exited(started), 0);
  assert.equal(await ask({ socketPath: path }).then(({ version, pid }) => [version, pid]), ["two", second]);
  // As deployment tools do it: a link that is turned.
  mkdirSync(join(folder, "bin"));
  renameSync(join(folder, "releases-three"), join(folder, "bin", "three"));
  unlinkSync(server);
  symlinkSync(join("bin", "three"), server);
  process.kill(second, "SIGUSR2");
  assert.match(await heard(), /^MAINPID=/);
  assert.match(await heard(), /^READY=1/);
  const third = await ask({ socketPath: path });
  successors.add(third.pid);
  assert.is(third.version, "three");
  await end(third.pid);
  assert.match(await heard(), /^STOPPING=1/);
  assert.not.ok(existsSync(path));
});

test("run --watch: SIGUSR2 is refused in a line", async () => {
  const folder = project({ "server.ts": program("one") });
  const command = [...fromSource, "run", "--watch", join(folder, "server.ts"), "--host", "127.0.0.1", "--port", "0"];
  const started = await startServer(command);
  started.child.kill("SIGUSR2");
  await started.saw(/^slipway: SIGUSR2: no restart: run --watch restarts on save$/m);
  assert.is((await ask({ port: started.port })).version, "one");
  assert.is((await started.stop()).code, 0);
});

test("run: --proxy-protocol and --trust-proxy as flags and variables", async () => {
  const folder = project({ "server.ts": program("one") });
  const command = [...fromSource, "run", join(folder, "server.ts"), "--host", "127.0.0.1", "--port", "0"];
  const headers = { "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example" };
  for (const [flags, env] of [
    [["--trust-proxy", "10.0.0.0/8,loopback"], {}],
    [[], { SLIPWAY_TRUST_PROXY: "127.0.0.1" }],
  ] as const) {
    const started = await startServer([...command, ...flags], { env });
    assert.is((await ask({ port: started.port }, undefined, headers)).rest, "192.0.2.1 https://shop.example/");
    assert.is((await started.stop()).code, 0);
  }
  const plain = await startServer(command);
  assert.match((await ask({ port: plain.port }, undefined, headers)).rest, /^127\.0\.0\.1 http:\/\/127/);
  await plain.stop();
  const { connect } = await import("../http/support/client.ts");
  const started = await startServer([...command, "--proxy-protocol"]);
  using client = await connect(started.port);
  client.write("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  assert.match((await client.response()).body.toString(), / 192\.0\.2\.7 http:\/\/a\/$/);
  await started.stop();
});

test.run();
