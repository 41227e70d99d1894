/** Real stalls of real servers: noticed, counted, named; and nothing of it while all is well. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { showHolder, turnStats } from "../../src/runtime/stall-clock.ts";
import { endProcesses, run, type Started, start } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const test = suite("the stall monitor");

const at = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);

/** A server whose paths hold the main thread in several ways; prints its port. */
const server = (options: string) => `
  import { serve } from ${at("http/mod.ts")};
  import { go } from ${at("runtime/tasks.ts")};
  import { startStallMonitor, stallStats } from ${at("runtime/stall-monitor.ts")};
  startStallMonitor(${options});
  function block(ms) {
    for (const end = performance.now() + ms; performance.now() < end; );
  }
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const ways = {
    "/quick": () => {},
    "/sync": () => block(300),
    "/throws": () => { block(300); throw new Error("after all"); },
    "/await": async () => { await pause(5); block(300); },
    "/task": () => void go("cruncher", () => block(300)),
    "/timer": () => void setTimeout(block, 20, 300),
    "/call": () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300),
    "/hang": () => block(60_000),
  };
  const { addr } = serve({ port: 0, hostname: "127.0.0.1", onListen() {}, onError: () => new Response("") }, async (request) => {
    const { pathname } = new URL(request.url);
    await ways[pathname]?.();
    return Response.json(pathname === "/stats" ? stallStats : {});
  });
  console.log("port " + addr.port);`;

const node = [process.execPath, "--input-type=module", "-e"];

async function serving(options: string): Promise<Started & { get(path: string): Promise<unknown> }> {
  const child = start([...node, server(options)]);
  const port = (await child.saw(/port (\d+)/))[1];
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return response.headers.get("content-type") === "application/json" ? response.json() : response.text();
  };
  return { ...child, get };
}

interface Stats {
  readonly count: number;
  readonly totalMs: number;
  readonly longestMs: number;
}

/** Asks for a path until the log has a line that fits: the worker may not be up when a test begins. */
async function until(child: Awaited<ReturnType<typeof serving>>, path: string, line: RegExp): Promise<void> {
  for (let i = 0; i < 15 && !line.test(child.stderr()); i++) {
    await child.get(path);
    // The turn after the stall, and the beat.
    await new Promise((resolve) => setTimeout(resolve, 150));
    await child.get("/quick");
  }
  assert.match(child.stderr(), line);
}

test("a handler that blocks is noticed from the first request on, counted, and named without its query", async () => {
  const child = await serving("{ warningMs: 100 }");
  await child.get("/sync?password=secret");
  await child.saw(
    /the main thread was blocked; --trace-stalls shows the line ms=\d{3,} cpuMs=\d+ by="probably GET \/sync"/,
  );
  // And once the worker looks: no guess.
  await until(child, "/sync?password=secret", /blocked.* ms=\d{3,} cpuMs=\d+ by="GET \/sync"/);
  const { count, totalMs, longestMs } = (await child.get("/stats")) as Stats;
  assert.ok(count >= 2, String(count));
  assert.ok(longestMs >= 290 && totalMs >= longestMs);
  assert.not.match((await child.stop("SIGKILL")).stderr, /secret/);
});

test("traced: the line that holds the thread, and its callers, wherever that is", async () => {
  const child = await serving("{ warningMs: 100, trace: true }");
  const place = String.raw`at="block \(file:\S*:\d+:\d+\)"`;
  await until(
    child,
    "/sync",
    new RegExp(String.raw`ms=\d{3,} cpuMs=\d+ by="GET /sync" ${place} calledBy="\S*/sync \(`),
  );
  await until(child, "/throws", new RegExp(`by="GET /throws" ${place}`));
  await until(child, "/await", new RegExp(String.raw`by="GET /await" ${place} calledBy="\S*/await \(`));
  await until(child, "/task", new RegExp(String.raw`by="task \\"cruncher\\" of GET /task" ${place}`));
  await until(child, "/timer", /by="GET \/timer" at="\S*block \[as _onTimeout\] \(/);
  // A system call is not interrupted; what called it is known when it ends, or is on the stack by then.
  await until(child, "/call", /by="GET \/call"/);
  await child.stop("SIGKILL");
});

test("untraced, after an await: said to be likely, not certain", async () => {
  const child = await serving("{ warningMs: 100 }");
  await until(child, "/await", /by="probably GET \/await, after an await or in a timer"/);
  await until(child, "/task", /by="task \\"cruncher\\""/);
  await child.stop("SIGKILL");
});

test("what stays below the limit is no line and no count", async () => {
  const child = await serving("{ warningMs: 20_000 }");
  for (const path of ["/quick", "/sync", "/await", "/quick"]) await child.get(path);
  assert.equal(await child.get("/stats"), { count: 0, totalMs: 0, longestMs: 0 });
  assert.is((await child.stop("SIGKILL")).stderr, "");
});

test("a main thread that does not come back is reported by the worker itself, with the line", async () => {
  const child = await serving("{ warningMs: 100, hungMs: 1500 }");
  // A beat starts the worker, a quarter of a second after the monitor.
  const ready = performance.now() + 600;
  while (performance.now() < ready) {
    await child.get("/quick");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.get("/hang").catch(() => {});
  await child.saw(/^slipway: the main thread has been blocked for [2-9] s by GET \/hang at block \(file:\S+\)/m);
  await child.stop("SIGKILL");
});

if (process.platform !== "win32") {
  test("a process that was stopped and goes on is no thread that hangs", async () => {
    const child = await serving("{ warningMs: 100, hungMs: 1000, trace: true }");
    // Both threads are awake when it is stopped.
    for (let i = 0; i < 20; i++) await child.get("/quick");
    child.child.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 2500));
    child.child.kill("SIGCONT");
    await child.get("/quick");
    await child.get("/stats");
    assert.not.match((await child.stop("SIGKILL")).stderr, /has been blocked/);
  });
}

if (process.platform === "linux") {
  test("while nothing happens it sleeps: not one switch of context", async () => {
    const program = `
      import { readdirSync, readFileSync } from "node:fs";
      const threads = () => readdirSync("/proc/self/task");
      const before = new Set(threads());
      ${server("{ warningMs: 100, trace: true }")}
      const { PARKED, clock, SLEEP } = await import(${at("runtime/stall-clock.ts")});
      const switches = () => threads().filter((id) => !before.has(id)).map((id) => id + " " +
        [...readFileSync("/proc/self/task/" + id + "/status", "latin1").matchAll(/ctxt_switches:\\s*(\\d+)/g)].map(([, n]) => n)).join();
      for (let i = 0; i < 3; i++) await (await fetch("http://127.0.0.1:" + addr.port + "/quick")).text();
      if (clock[PARKED] !== 0) throw new Error("did not wake");
      // Its last request was a while ago: the beats end, the worker's last look ends in its sleep.
      while (clock[PARKED] === 0) await pause(20);
      for (let last = ""; last !== (last = switches()); ) await pause(200);
      const asleep = switches();
      await pause(1000);
      console.log(JSON.stringify({ asleep, then: switches() }));
      process.exit(0);`;
    const { code, stdout, stderr } = await run([...node, program]);
    assert.is(code, 0, stderr);
    const { asleep, then } = JSON.parse(stdout.split("\n")[1]);
    assert.match(asleep, /^\d+ \d+,\d+/, "there is a thread more");
    assert.is(then, asleep);
  });
} else skip(test, "while nothing happens it sleeps", "only Linux counts a thread's switches of context");

test("it keeps no process alive, and none from ending", async () => {
  const program = (last: string) => `
    import { listen, connect } from ${at("net/mod.ts")};
    import { startStallMonitor } from ${at("runtime/stall-monitor.ts")};
    startStallMonitor({ warningMs: 100, trace: true });
    const listener = listen({ port: 0, hostname: "127.0.0.1" });
    const conn = await connect({ port: listener.addr.port, hostname: "127.0.0.1" });
    (await listener.accept()).close();
    conn.close();
    listener.close();
    ${last}`;
  for (const [last, expected] of [
    ["", 0],
    ["process.exit(7)", 7],
    ["setTimeout(() => process.exit(7), 600)", 7],
    ["await new Promise((resolve) => setTimeout(resolve, 600))", 0],
  ] as const) {
    const { code, signal, stderr } = await run([...node, program(last)], { timeoutSeconds: 20 });
    assert.equal([code, signal, stderr], [expected, null, ""], last);
  }
});

test("none at all when the limit is none, and an end to one", async () => {
  const program = `
    import { readdirSync } from "node:fs";
    import { startStallMonitor } from ${at("runtime/stall-monitor.ts")};
    import { PARKED, clock } from ${at("runtime/stall-clock.ts")};
    startStallMonitor({ warningMs: Infinity, trace: true })();
    console.log(clock[PARKED]);
    const stop = startStallMonitor({ warningMs: 100, trace: true });
    startStallMonitor({ warningMs: 100, trace: true });
    console.log(clock[PARKED]);
    stop();
    console.log(clock[PARKED]);`;
  const { code, stdout, stderr } = await run([...node, program]);
  assert.equal([code, stdout, stderr], [0, "0\n1\n0\n", ""]);
});

test("requests are named by method and path, and nothing else of them is", () => {
  const name = (line: string) => showHolder({ method: line.slice(0, line.indexOf(" ")), head: `${line} HTTP/1.1\r\n` });
  assert.is(name("GET /a/b?token=x"), "GET /a/b");
  assert.is(name("GET http://user:pass@example.com:80/a?b"), "GET /a");
  assert.is(name("GET http://user:pass@example.com?b"), "GET /");
  assert.is(name("OPTIONS *"), "OPTIONS *");
  assert.is(name("GET /a\x1b[31m\x9b\xff"), "GET /a?[31m??");
  assert.is(name("GET /?/"), "GET /");
  assert.is(name(`GET /${"a".repeat(5000)}`).length, 124);
  assert.is(showHolder({ name: 'a"\nb' }), 'task "a"?b"');
});

test("turns and events are counted", async () => {
  const { listen, connect } = await import("../../src/net/mod.ts");
  const { runtime } = await import("../../src/runtime/mod.ts");
  const { turns, events } = turnStats;
  const listener = listen({ port: 0, hostname: "127.0.0.1" });
  const conn = await connect({ port: listener.addr.port, hostname: "127.0.0.1" });
  (await listener.accept()).close();
  conn.close();
  listener.close();
  assert.ok(runtime().stats.turns > turns);
  assert.ok(runtime().stats.events > events);
});

test.after(endProcesses);
test.run();
