/**
 * Out of descriptors: no crash, no spin, one line in the log, and full service as soon as there is room. Once where the
 * server leaves a reserve to the rest of the program, and stops accepting by itself; once where the program has used that
 * up, and accept(2) says EMFILE.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { createInterface } from "node:readline";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../net/pair.ts";

const test = suite("descriptor limit");
const LIMIT = 64;
const CLIENTS = 150;

/** CPU ticks that a process has used, user and system: fields 14 and 15 of proc(5)'s stat. */
function ticks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

for (const [name, opened, line] of [
  [
    "the reserve is left",
    0,
    /^slipway: accept on 127\.0\.0\.1:\d+ waits: \d+ sockets are open, all that the limit of 64 descriptors leaves: raise it with "ulimit -n"/,
  ],
  [
    "EMFILE",
    24,
    /^slipway: Too many open files \(os error 24\): accept on 127\.0\.0\.1:\d+; \d+ sockets are open: raise the limit with "ulimit -n".*accepting goes on/,
  ],
] as const)
  test(`more clients than descriptors: ${name}`, async () => {
    const mod = new URL("../../src/net/mod.ts", import.meta.url).href;
    const program = `
    const { openSync } = await import("node:fs");
    for (let i = 0; i < ${opened}; i++) openSync("/dev/null");
    const { listen, serveConn } = await import(${JSON.stringify(mod)});
    const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (conn) => {
      const buffer = new Uint8Array(100);
      for (let n; (n = await conn.read(buffer)) !== null; ) await conn.write(buffer.subarray(0, n));
    });
    console.log(server.addr.port);
  `;
    const run = `ulimit -n ${LIMIT}; exec "$0" --input-type=module -e "$1"`;
    const child = spawn("sh", ["-c", run, process.execPath, program], { stdio: ["ignore", "pipe", "pipe"] });
    const pid = child.pid as number;
    let log = "";
    child.stderr.on("data", (chunk) => (log += chunk));
    try {
      const [port] = await once(createInterface(child.stdout), "line");
      const clients = await Promise.all(
        Array.from({ length: CLIENTS }, async () => {
          const client = net.connect({ port: Number(port), host: "127.0.0.1" });
          client.on("error", () => {});
          await once(client, "connect");
          return client;
        }),
      );
      const answered = new Set<net.Socket>();
      for (const client of clients) {
        client.on("data", () => answered.add(client));
        client.write("hello");
      }
      await until(() => line.test(log), "the line in the log");
      await until(() => answered.size > LIMIT / 8, "those that have a descriptor are served");

      // Idle but short of descriptors: it looks again ten times a second, which is no spin.
      const before = ticks(pid);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      // A spin would be a hundred.
      assert.ok(ticks(pid) - before <= 25, `${ticks(pid) - before} ticks in a second`);
      assert.is(child.exitCode, null);

      // As connections close, those that wait are accepted, and in the end all have been served.
      let served = 0;
      for (const client of clients) {
        if (!answered.has(client)) {
          await until(() => answered.has(client), `client ${served} of ${CLIENTS} is served`);
        }
        served++;
        client.destroy();
      }
      assert.is(answered.size, CLIENTS);
      const lines = log.split("\n").filter((line) => line !== "");
      assert.is(lines.length, 1, log);
      assert.match(lines[0], line);
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  });

test.run();
