/**
 * A supervised server without the command line around it: answers each line with its process id and the line. SERVE
 * holds, as JSON, what to listen on: options of `listen`, or "fd:3", "fd:name", or "passed" for all that came with us.
 * BREAK names a file: while it exists, a start fails ("exit") or never gets ready ("hang").
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import {
  type ConnServer,
  type Listener,
  type ListenOptions,
  listen,
  listenFd,
  serveConn,
} from "../../../src/net/mod.ts";
import { supervise } from "../../../src/supervisor/mod.ts";

const { SERVE = "[]", BREAK = "", LOADING_MS, NO_RESTART } = process.env;
const supervised = await supervise({ noRestart: NO_RESTART });
if (BREAK !== "" && existsSync(BREAK)) {
  if (readFileSync(BREAK, "utf8") === "exit") process.exit(7);
  setInterval(() => {}, 1000);
  console.log("hanging");
  await new Promise(() => {});
}
console.log("loading");
if (LOADING_MS !== undefined) await new Promise((resolve) => setTimeout(resolve, Number(LOADING_MS)));
supervised.loaded();

const listeners: Listener[] = [];
for (const one of JSON.parse(SERVE) as (ListenOptions | string)[]) {
  if (one === "passed") for (const { fd } of supervised.sockets) listeners.push(listenFd(fd));
  else if (typeof one === "string") listeners.push(listenFd(supervised.descriptor(one.replace("fd:", ""))));
  else listeners.push(listen(one) as Listener);
}
const servers: ConnServer[] = listeners.map((listener) => serveConn(listener, answer));

async function answer(conn: import("../../../src/net/mod.ts").Conn): Promise<void> {
  const buffer = new Uint8Array(4096);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    const line = new TextDecoder().decode(buffer.subarray(0, n)).trim();
    if (line === "block") {
      const until = performance.now() + 1500;
      while (performance.now() < until);
    }
    // What a child of ours finds: its environment and its descriptors.
    const child = line === "child" ? spawnSync("sh", ["-c", "env; echo; ls -l /proc/self/fd"]).stdout.toString() : "";
    await conn.write(new TextEncoder().encode(`${process.pid} ${line}\n${child}`));
  }
}

let ending = false;
process.on("SIGTERM", async () => {
  if (ending) process.exit(1);
  ending = true;
  supervised.stopping(10_000);
  await Promise.all(servers.map((server) => server.shutdown()));
  process.exit(0);
});
supervised.ready(listeners.map(({ addr }) => ("port" in addr ? `port ${addr.port}` : addr.path)).join(", "));
console.log(`Listening ${process.pid} ${JSON.stringify(listeners.map(({ addr }) => addr))}`);
