/** A process ends as it was told to, however busy its poller is. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("exit");
const mod = new URL("../../src/net/mod.ts", import.meta.url).href;

async function run(program: string): Promise<string> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const late = setTimeout(() => child.kill("SIGKILL"), 30_000);
  const [code, signal] = await once(child, "close");
  clearTimeout(late);
  return `${signal ?? code} ${stderr}`.trim();
}

const traffic = `
  const { listen, connect, serveConn } = await import(${JSON.stringify(mod)});
  const server = serveConn(listen({ port: 0, hostname: "127.0.0.1" }), async (conn) => {
    const buffer = new Uint8Array(100);
    for (let n; (n = await conn.read(buffer)) !== null; ) await conn.write(buffer.subarray(0, n));
  });
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(server.addr)));
  for (const client of clients) void (async () => {
    const buffer = new Uint8Array(100);
    for (;;) { await client.write(buffer); await client.read(buffer); }
  })().catch(() => {}); // a listener that closes resets who waits in its queue
`;

test("process.exit under traffic gives its code", async () => {
  for (const delay of [0, 3, 20]) {
    assert.is(await run(`${traffic} setTimeout(() => process.exit(3), ${delay});`), "3");
  }
});

test("an uncaught exception under traffic gives 1 and its stack", async () => {
  assert.match(await run(`${traffic} setTimeout(() => { throw new Error("mine") }, 5);`), /^1 [\s\S]*Error: mine/);
});

test("events that nobody took do not disturb a natural end", async () => {
  const program = `${traffic} for (const client of clients) client.unref(); server.unref();`;
  assert.match(await run(`${program} server.close();`), /^(0|13)/);
});

test("a worker ends the same way", async () => {
  const worker = `${traffic} setTimeout(() => process.exit(0), 5);`;
  const program = `
    await import(${JSON.stringify(new URL("../../ffi/koffi.ts", import.meta.url).href)});
    const { Worker } = await import("node:worker_threads");
    const worker = new Worker(new URL("data:text/javascript," + encodeURIComponent(${JSON.stringify(worker)})));
    worker.on("exit", (code) => process.exit(code === 0 ? 5 : 6));
  `;
  assert.is(await run(program), "5");
});

test.run();
