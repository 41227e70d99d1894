/**
 * Starts and exits of every kind under traffic, one behind the other at one port: the exit code is as documented, nothing
 * ends by a signal or says that memory is corrupt, nothing hangs, and the port is free for the next start at once. Each
 * kind goes through the grounds by turns: both pollers, one thread and workers, from source, `slipway run` and a compiled
 * server; every other one with glibc's checks of its heap (mallopt(3)).
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause } from "./clients.ts";
import { freePort } from "./port.ts";
import { Random } from "./random.ts";
import type { Report } from "./report.ts";
import { connect, get, type Wire } from "./wire.ts";

const root = join(import.meta.dirname, "../..");
const handler = join(root, "scripts/soak/exits-handler.ts");
const FLAGS = "--host 127.0.0.1 --drain-idle 20ms --read-header-timeout 1s --drain-timeout 20s --log-format text".split(" "); // biome-ignore format: one line
const CLIENTS = 4;
/** `ulimit -n` where descriptors are to run out, and how many connections that takes. */
const DESCRIPTORS = 160;
const CROWD = 200;
/** A start, and an end, that take so long hang; a machine that does other things as well is slow. */
const HANGS_MS = 90_000;
/** It checks blocks as they are freed; without it MALLOC_PERTURB_ alone is heeded. */
const CHECKER = ["/usr/lib", "/usr/lib64", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
  .map((folder) => join(folder, "libc_malloc_debug.so.0"))
  .find(existsSync); // biome-ignore format: a list

interface Ground {
  readonly name: string;
  readonly command: readonly string[];
  readonly poller: string;
  readonly parallel: boolean;
}

interface Ending {
  readonly name: string;
  /** Exit codes that are right. */
  readonly codes: (ground: Ground) => readonly number[];
  readonly descriptors?: number;
  end(server: Process, port: number, ground: Ground): Promise<void>;
}

const signal = (name: "SIGTERM" | "SIGINT"): Ending => ({
  name,
  codes: () => [0],
  async end(server, port) {
    // A request that is under way is answered, whatever comes.
    using wire = await connect(port);
    wire.write(get("/"));
    await wire.answer();
    wire.write(get("/slow"));
    await pause(20);
    server.child.kill(name);
    const { status } = await wire.answer();
    if (status !== 200) throw new Error(`what was under way was answered ${status}`);
  },
});

const asked = (name: string, path: string, code: number): Ending => ({
  name,
  codes: () => [code],
  end: (_, port) => ask(port, path),
});

const endings: readonly Ending[] = [
  signal("SIGTERM"),
  signal("SIGINT"),
  asked("Deno.exit", "/deno-exit", 8),
  asked("process.exit", "/exit", 7),
  {
    name: "an uncaught error",
    // It is one worker's end; the process goes on.
    codes: ({ parallel }) => (parallel ? [0] : [1]),
    async end(server, port, { parallel }) {
      await ask(port, "/throw");
      await server.says(/Uncaught Error: thrown on purpose/);
      if (!parallel) return;
      await server.says(/another takes its place/);
      await hello(port);
      server.child.kill("SIGTERM");
    },
  },
  {
    name: "an uncaught error and SIGTERM at once",
    // A worker that dies as all end has cut what it was at.
    codes: ({ parallel }) => (parallel ? [0, 1] : [0, 1]),
    async end(server, port) {
      void ask(port, "/throw").catch(() => {});
      server.child.kill("SIGTERM");
    },
  },
  {
    name: "out of descriptors",
    codes: () => [0],
    descriptors: DESCRIPTORS,
    async end(server, port) {
      const crowd = await Promise.all(Array.from({ length: CROWD }, () => connect(port)));
      for (const wire of crowd) wire.write(get("/"));
      await crowd[0].answer();
      await pause(200);
      for (const wire of crowd) wire.socket.destroy();
      await hello(port);
      server.child.kill("SIGTERM");
    },
  },
];

/** Answered, however long those before it hold the descriptors. */
async function hello(port: number): Promise<void> {
  using wire = await connect(port);
  wire.write(get("/"));
  const { status } = await wire.answer();
  if (status !== 200) throw new Error(`answered ${status}`);
}

async function ask(port: number, path: string): Promise<void> {
  using wire = await connect(port);
  wire.write(get(path));
  await Promise.race([wire.answer().catch(() => {}), wire.gone()]);
}

class Process {
  readonly child: ChildProcess;
  text = "";
  readonly ended: Promise<{ code: number | null; signal: string | null }>;

  constructor(command: readonly string[], env: Readonly<Record<string, string>>) {
    this.child = spawn(command[0], command.slice(1), { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] }); // biome-ignore format: one line
    const hear = (text: string): void => void (this.text += text);
    this.child.stdout?.setEncoding("utf8").on("data", hear);
    this.child.stderr?.setEncoding("utf8").on("data", hear);
    this.ended = new Promise((resolve) => this.child.once("close", (code, signal) => resolve({ code, signal })));
  }

  async says(pattern: RegExp): Promise<void> {
    for (const until = Date.now() + HANGS_MS; !pattern.test(this.text); await pause(20)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        // What it said last may still be on its way.
        await this.ended;
        if (!pattern.test(this.text)) throw new Error(`it ended without ${pattern}`);
      } else if (Date.now() > until) throw new Error(`no ${pattern} in ${HANGS_MS / 1000} s`);
    }
  }
}

export async function exits(times: number, seed: number, report: Report): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "slipway-exits-"));
  try {
    const grounds = groundsIn(folder);
    const random = new Random(seed);
    for (const ending of endings) {
      const port = await freePort();
      const wrong: string[] = [];
      for (let i = 0; i < times; i++) {
        // By turns, and each round begins elsewhere: so few starts go through all of them, too.
        const ground = grounds[(i + endings.indexOf(ending) * 5) % grounds.length];
        // And what was checked in one turn is not in the next: each ground comes to both.
        const checked = (i + Math.floor(i / grounds.length)) % 2 === 1;
        const failed = await once(ending, ground, port, checked, random);
        if (failed !== undefined) wrong.push(`${ground.name}${checked ? ", heap checked" : ""}: ${failed}`);
      }
      for (const line of wrong.slice(0, 10)) console.log(`  ${ending.name}: ${line}`);
      console.log(`  ${ending.name}: ${times - wrong.length} of ${times}`);
      report.check(`${ending.name}: starts and exits as they should be`, `${times - wrong.length}`, String(times), wrong.length === 0); // biome-ignore format: one line
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function groundsIn(folder: string): readonly Ground[] {
  const slipway = join(root, "dist/slipway");
  const ways: { name: string; command: readonly string[] }[] = [
    { name: "source", command: [process.execPath, join(root, "src/cli/main.ts"), "run", handler] },
  ];
  if (existsSync(slipway)) {
    const compiled = join(folder, "server");
    execFileSync(slipway, ["compile", handler, "-o", compiled], { stdio: "ignore" });
    ways.push({ name: "binary", command: [slipway, "run", handler] }, { name: "compiled", command: [compiled] });
  } else console.log("  from source only: there is no dist/slipway (npm run build)");
  return ways.flatMap(({ name, command }) =>
    ["uring", "epoll"].flatMap((poller) =>
      [true, false].map((parallel) => ({
        name: `${name}, ${poller}${parallel ? ", --parallel 2" : ""}`,
        command: parallel ? [...command, "--parallel", "2"] : command,
        poller,
        parallel,
      })),
    ),
  );
}

/** What was wrong, or nothing. */
async function once(
  ending: Ending,
  ground: Ground,
  port: number,
  checked: boolean,
  random: Random,
): Promise<string | undefined> {
  const command = [...ground.command, ...FLAGS, "--port", String(port)];
  const { descriptors } = ending;
  const limited = descriptors === undefined ? command : ["sh", "-c", `ulimit -n ${descriptors}; exec "$@"`, "sh", ...command]; // biome-ignore format: one line
  const perturb = String(1 + random.below(255));
  const heap = checked ? { MALLOC_PERTURB_: perturb, ...(CHECKER === undefined ? {} : { LD_PRELOAD: CHECKER, MALLOC_CHECK_: "3" }) } : {}; // biome-ignore format: one line
  const server = new Process(limited, { SLIPWAY_POLLER: ground.poller, ...heap } as Record<string, string>);
  const traffic = new Traffic(port);
  const hangs = setTimeout(() => server.child.kill("SIGKILL"), 2 * HANGS_MS);
  try {
    await server.says(/Listening on/);
    if (descriptors === undefined) await traffic.begin();
    await pause(random.below(100));
    await ending.end(server, port, ground);
    const { code, signal } = await server.ended;
    const right = signal === null && code !== null && ending.codes(ground).includes(code);
    if (!right) return `exit code ${code}, ${signal}: ${server.text.slice(-1000)}`;
    if (/FATAL|Segmentation|corrupt|free\(\)|malloc\(\)|napi|double free/i.test(server.text))
      return server.text.slice(-1000);
    return traffic.wrong[0];
  } catch (error) {
    server.child.kill("SIGKILL");
    return `${error instanceof Error ? error.message : error}: ${server.text.slice(-1000)}`;
  } finally {
    clearTimeout(hangs);
    server.child.kill("SIGKILL");
    await server.ended;
    await traffic.end();
  }
}

/** Clients that ask all the while, and connections that are idle or have sent part of a head. */
class Traffic {
  readonly #port: number;
  readonly #standing: Wire[] = [];
  #running: Promise<unknown> = Promise.resolve();
  #over = false;
  readonly wrong: string[] = [];

  constructor(port: number) {
    this.#port = port;
  }

  async begin(): Promise<void> {
    for (let i = 0; i < 4; i++) this.#standing.push(await connect(this.#port));
    this.#standing[0].write("GET / HTTP/1.1\r\nHost: so");
    this.#standing[1].write(get("/"));
    await this.#standing[1].answer();
    this.#standing[2].socket.end();
    this.#running = Promise.all(Array.from({ length: CLIENTS }, (_, i) => this.#ask(i)));
  }

  async end(): Promise<void> {
    this.#over = true;
    for (const wire of this.#standing) wire.socket.destroy();
    await this.#running;
  }

  async #ask(client: number): Promise<void> {
    while (!this.#over) {
      try {
        using wire = await connect(this.#port);
        for (let i = 0; i < 5 && !this.#over; i++) {
          const path = `/${client}.${i}`;
          wire.write(get(path));
          const { status, body, close } = await wire.answer();
          if (status !== 200 || body.toString() !== `hello ${path}`) this.wrong.push(`${status} ${body}`);
          if (close) break;
        }
      } catch {
        // It has ended, or is about to.
        await pause(20);
      }
    }
  }
}
