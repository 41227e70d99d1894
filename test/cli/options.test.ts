// time limit: 120 s
// Options on their way through the command line: --print-config, warnings, several listeners, and how the end is bounded.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { endProcesses, fromSource, run, start, startServer, temporaryFolder } from "../support/process.ts";

const folder = temporaryFolder();
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const slipway = (args: string[], env: Record<string, string> = {}) =>
  run([...fromSource, ...args], { cwd: folder, env });
const serve = (args: string[], env: Record<string, string> = {}) =>
  startServer([...fromSource, "run", ...args], { cwd: folder, env });

write("good.ts", "export default { fetch: () => new Response('ok'), readTimeout: '45s', maxHeaderCount: 10 };");
write("plain.ts", "Deno.serve(() => new Response('plain'));");

const print = suite("--print-config");
print("shows each value and where it came from, and serves nothing", async () => {
  const args = ["good.ts", "--max-header-count", "99", "--listen", ":0", "--listen", "unix:x.sock", "--print-config"];
  const env = { SLIPWAY_WRITE_TIMEOUT: "1m30s", SLIPWAY_READ_TIMEOUT: "" };
  const { code, stdout, stderr } = await slipway(["run", ...args], env);
  assert.is(code, 0);
  assert.is(stderr, "");
  assert.match(stdout, /^listen +:0, unix:x\.sock +flag --listen$/m);
  assert.match(stdout, /^readTimeout +45s +file good\.ts$/m);
  assert.match(stdout, /^writeTimeout +90s +environment SLIPWAY_WRITE_TIMEOUT$/m);
  assert.match(stdout, /^maxHeaderCount +99 +flag --max-header-count$/m);
  assert.match(stdout, /^maxConnections +auto +default$/m);
  assert.not.match(stdout, /^(?:port|unix) /m);
});
print("as JSON", async () => {
  const { stdout } = await slipway(["run", "good.ts", "--print-config=json", "--no-access-log"]);
  const entries = JSON.parse(stdout) as { name: string }[];
  const named = (name: string) => entries.find((entry) => entry.name === name);
  assert.equal(named("readTimeout"), { name: "readTimeout", value: "45s", source: "file", from: "good.ts" });
  assert.equal(named("accessLog"), { name: "accessLog", value: "off", source: "flag", from: "--access-log" });
});
print("of a plain program, which does not get to listen", async () => {
  const { code, stdout, stderr } = await slipway(["run", "plain.ts", "--port", "1", "--print-config"]);
  assert.is(code, 0);
  assert.match(stdout, /^port +1 +flag --port$/m);
  assert.match(stderr, /^slipway: plain\.ts listens on its own: .*\n$/);
});
print("with --watch it shows them and ends as well", async () => {
  const { code, stdout } = await slipway(["run", "good.ts", "--watch", "--print-config"]);
  assert.is(code, 0);
  assert.match(stdout, /^port +8000 +default$/m);
});
print("a program's own --print-config is its own", async () => {
  write("args.ts", "console.log(Deno.args.join());");
  assert.is((await slipway(["run", "args.ts", "--", "--print-config=json"])).stdout, "--print-config=json\n");
});
print.run();

const wrong = suite("what is wrong");
const fails = async (args: string[], code: number, line: RegExp, env: Record<string, string> = {}) => {
  const ended = await slipway(["run", ...args], env);
  assert.match(ended.stderr, line);
  assert.is(ended.code, code);
  assert.is(ended.stderr.trimEnd().split("\n").length, 1, ended.stderr);
};
write("bad-size.ts", "export default { fetch() {}, maxBodyBytes: '64M' };");
write("bad-hook.ts", "export default { fetch() {}, limits: { readTimeout: 1 } };");
wrong("a flag", () =>
  fails(["good.ts", "--read-timeout", "0"], 2, /^slipway: --read-timeout must not be 0: write "none"/),
);
wrong("a variable", () =>
  fails(["good.ts"], 2, /the environment's SLIPWAY_MAX_BODY_BYTES must be a size like .*, not "lots"\n/, {
    SLIPWAY_MAX_BODY_BYTES: "lots",
  }),
);
wrong("a field", () =>
  fails(["bad-size.ts"], 1, /^slipway: bad-size\.ts: 'maxBodyBytes' of the default export must be a size/),
);
wrong("a hook", () => fails(["bad-hook.ts"], 1, /'limits' of the default export must be a function, not an object/));
wrong("an address", () =>
  fails(["good.ts", "--listen", "8000x"], 2, /^slipway: --listen must be an address like :8000/),
);
for (const [args, line] of [
  [["--trust-proxy", "foo"], /--trust-proxy/],
  [["--trust-proxy", "10.0.0.0/33"], /--trust-proxy/],
  [["--admin", "9090"], /^slipway: --admin 9090 is no address with a port: write 127\.0\.0\.1:9090/],
  [["--admin", "0.0.0.0:9090"], /can be reached from other machines/],
  [["--admin", "unix:"], /has no path/],
] as const) {
  wrong(`${args.join(" ")}, also of --print-config`, async () => {
    await fails(["good.ts", "--port", "0", ...args], 2, line);
    for (const file of ["good.ts", "plain.ts"]) await fails([file, ...args, "--print-config"], 2, line);
  });
}
wrong("--listen of --print-config", () =>
  fails(["good.ts", "--listen", "x", "--print-config"], 2, /must be an address/),
);
wrong("a form that --print-config does not have", () =>
  fails(
    ["good.ts", "--print-config=xml"],
    2,
    /^slipway: --print-config=xml is no form of it: .*=json; see slipway help/,
  ),
);
write("no-listen.ts", "export default { fetch() {}, listen: [] };");
write("text-port.ts", "export default { fetch() {}, port: '8000' };");
write("says.ts", "Deno.serve({ port: 0, readTimout: '1s', idleTimeout: 30, admin: ':1' }, () => new Response('ok'));");
wrong("no address at all", () =>
  fails(["no-listen.ts"], 1, /^slipway: no-listen\.ts: 'listen' of the default export is empty: give an address/),
);
wrong("a port as text, in a file", () => fails(["text-port.ts"], 1, /must be a whole number from 0 .*, not "8000"\n$/));
wrong("the same address twice", () =>
  fails(["good.ts", "--listen", ":8000,0.0.0.0:8000"], 2, /^slipway: --listen names 0\.0\.0\.0:8000 twice/),
);
wrong("two addresses of one port that overlap", async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  const args = ["good.ts", "--listen", `127.0.0.1:${port}`, "--listen", `:${port}`];
  await fails(args, 1, /^slipway: port \d+ on 0\.0\.0\.0 is one that this server listens on already: two addresses/);
});
wrong("what a program says to Deno.serve, in the log, without its level twice", async () => {
  const server = await start([...fromSource, "run", "says.ts", "--log-format", "json"], { cwd: folder });
  await server.saw(/no option of a single server/);
  const { stderr } = await server.stop();
  assert.match(stderr, /"level":"warn".*"message":"Deno\.serve: 'readTimout' is no option \(did you mean readTimeout/);
  assert.match(stderr, /"message":"idleTimeout of Deno\.serve is 30 milliseconds/);
  assert.match(stderr, /'admin' is no option of a single server and changes nothing: give --admin, or SLIPWAY_ADMIN/);
  assert.not.match(stderr, /warning:/);
});
wrong("an inherited descriptor that is none", () => fails(["good.ts", "--listen", "fd:77"], 1, /^slipway: .*77/));
wrong("--listen with --port", () => fails(["good.ts", "--listen", ":1", "--port", "1"], 2, /exclude each other/));
wrong("names that are nearly right, and no limit, are said, and no reason to stop", async () => {
  write(
    "near.ts",
    "export default { fetch: () => new Response('ok'), readTimout: '1s', host: '::1', idleTimeout: 30 };",
  );
  const args = ["near.ts", "--port", "0", "--log-format", "text", "--max-body-bytes", "none"];
  const server = await serve(args, { SLIPWAY_DRIAN_DELAY: "1s" });
  const { stderr } = await server.stop();
  assert.not.match(stderr, /warning:/);
  assert.match(stderr, /'readTimout' of the default export is no option \(did you mean readTimeout\?\)/);
  assert.match(stderr, /'host' of the default export is no option \(did you mean hostname\?\)/);
  assert.match(stderr, /SLIPWAY_DRIAN_DELAY is no option \(did you mean SLIPWAY_DRAIN_DELAY\?\)/);
  assert.match(stderr, /'idleTimeout' of the default export is 30 milliseconds: write "30s" for seconds/);
  assert.match(stderr, /no limit, because it is "none": maxBodyBytes \(--max-body-bytes\)/);
});
wrong.run();

const holds = suite("what holds");
holds("several listeners, one handler", async () => {
  const path = join(folder, "several.sock");
  const server = await serve(["good.ts", "--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--listen", `unix:${path}`]);
  await server.saw(/several\.sock/);
  const shown = [...server.stderr().matchAll(/Listening on (.*)/g)].map(([, url]) => url);
  assert.is(shown.length, 3);
  assert.is(await (await fetch(shown[0])).text(), "ok");
  assert.is(await (await fetch(shown[1])).text(), "ok");
  assert.is(shown[2], `unix:${path}`);
  assert.match(await exchange(connect(path), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), /ok$/);
  assert.is((await server.stop()).code, 0);
});
for (const file of ["good.ts", "plain.ts"]) {
  holds(`fd:3 of ${file} is the parent's socket`, async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as { port: number };
    const { fd } = (holder as unknown as { _handle: { fd: number } })._handle;
    const [program, ...args] = [...fromSource, "run", file, "--listen", "fd:3"];
    const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe", fd] });
    await once(child.stderr ?? child, "data");
    holder.close();
    assert.is(await (await fetch(`http://127.0.0.1:${port}/`)).text(), file === "good.ts" ? "ok" : "plain");
    child.kill("SIGTERM");
    assert.equal(await once(child, "exit"), [0, null]);
  });
}
holds("a limit from each place is the server's", async () => {
  const many = Array.from({ length: 15 }, (_, i) => `X-${i}: 1\r\n`).join("");
  const ask = async (args: string[], env: Record<string, string> = {}) => {
    const server = await serve([...args, "--port", "0", "--host", "127.0.0.1"], env);
    const text = `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${many}\r\n`;
    const answer = await exchange(connect(Number(server.port), "127.0.0.1"), text);
    await server.stop();
    return answer.slice(9, 12);
  };
  assert.is(await ask(["good.ts"]), "431");
  assert.is(await ask(["good.ts"], { SLIPWAY_MAX_HEADER_COUNT: "50" }), "200");
  assert.is(await ask(["good.ts", "--max-header-count", "60"], { SLIPWAY_MAX_HEADER_COUNT: "5" }), "200");
  // A plain program's server has them as its own.
  assert.is(await ask(["plain.ts"]), "200");
  assert.is(await ask(["plain.ts", "--max-header-count", "5"]), "431");
});
holds("of several addresses a program's own server takes the first, and the rest is said", async () => {
  const server = await serve(["plain.ts", "--listen", "127.0.0.1:0", "--listen", ":8007", "--log-format", "text"]);
  await server.saw(/on the first address only: 0\.0\.0\.0:8007 is not listened on/);
  assert.is((await server.stop()).code, 0);
});
holds("/config of such a program says what may differ", async () => {
  const args = ["plain.ts", "--port", "0", "--read-timeout", "7s", "--admin", "127.0.0.1:0"];
  const server = await start([...fromSource, "run", ...args], { cwd: folder });
  const [, url] = await server.saw(/Admin port on (\S+)/);
  const config = await (await fetch(`${url}config`)).text();
  assert.match(config, /^readTimeout +7s +flag: --read-timeout$/m);
  assert.match(config, /^writeTimeout +30s +default: unless the program says otherwise$/m);
  assert.match(config, /^accessLog +off +default$/m);
  await server.stop();
});
holds("run --watch passes all of it on", async () => {
  const server = await serve(["good.ts", "--watch", "--port", "0", "--max-header-count", "1"]);
  const text = "GET / HTTP/1.1\r\nHost: x\r\nX: 1\r\nConnection: close\r\n\r\n";
  assert.match(await exchange(connect(Number(server.port), "127.0.0.1"), text), /^HTTP\/1\.1 431 /);
  assert.is((await server.stop()).code, 0);
});
holds.run();

const ends = suite("the end");
write(
  "slow.ts",
  "export default { fetch: () => { console.log('in'); return new Promise(() => {}); }, drainTimeout: '200ms' };",
);
write(
  "raw.ts",
  "export default { connect(conn: { read(b: Uint8Array): unknown }) { console.log('in'); return conn.read(new Uint8Array(1)); } };",
);
ends("what is not done by drainTimeout is cut, counted, and exit 1", async () => {
  const server = start([...fromSource, "run", "slow.ts", "--port", "0"], { cwd: folder });
  const [, port] = await server.saw(/Listening on http:\/\/localhost:(\d+)/);
  const answer = fetch(`http://127.0.0.1:${port}/`).then(
    ({ status }) => status,
    () => "cut",
  );
  await server.saw(/in\n/);
  const { code, stderr } = await server.stop();
  assert.is(code, 1);
  assert.match(stderr, /1 still at work [\d.]+ s after SIGTERM: cut \(drainTimeout\)/);
  assert.is.not(await answer, 200);
});
ends("of a raw server too", async () => {
  const server = start([...fromSource, "run", "raw.ts", "--port", "0", "--drain-timeout", "200ms"], { cwd: folder });
  const [, port] = await server.saw(/Listening on tcp:\/\/localhost:(\d+)/);
  const socket = connect(Number(port), "127.0.0.1").on("error", () => {});
  await server.saw(/in\n/);
  const { code, stderr } = await server.stop();
  assert.is(code, 1);
  assert.match(stderr, /1 still at work [\d.]+ s after SIGTERM: cut/);
  socket.destroy();
});
ends("a raw server whose connections end in time", async () => {
  const server = start([...fromSource, "run", "raw.ts", "--port", "0"], { cwd: folder });
  const [, port] = await server.saw(/Listening on tcp:\/\/localhost:(\d+)/);
  const socket = connect(Number(port), "127.0.0.1");
  await server.saw(/in\n/);
  const ended = server.stop();
  socket.end("x");
  assert.is((await ended).code, 0);
});
ends("a second signal ends it at once", async () => {
  const args = ["slow.ts", "--port", "0", "--drain-timeout", "none", "--log-format", "text"];
  const server = start([...fromSource, "run", ...args], { cwd: folder });
  const [, port] = await server.saw(/Listening on http:\/\/localhost:(\d+)/);
  fetch(`http://127.0.0.1:${port}/`).catch(() => {});
  await server.saw(/in\n/);
  server.child.kill("SIGTERM");
  // Once it no longer accepts, the first signal has been heard.
  while (await accepts(Number(port)));
  assert.is((await server.stop()).code, 143);
});
ends.after(endProcesses);
ends.run();

function accepts(port: number): Promise<boolean> {
  const probe = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    probe.on("connect", () => resolve(true)).on("error", () => resolve(false));
  }).then((answer) => {
    probe.destroy();
    return answer === true;
  });
}

/** Everything that comes back until the end. */
async function exchange(socket: Socket, text: string): Promise<string> {
  socket.on("error", () => {});
  socket.write(text);
  let answer = "";
  for await (const chunk of socket.setEncoding("latin1")) answer += chunk;
  return answer;
}
