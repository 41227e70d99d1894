/** The server under test: a child process, what the kernel says of it, and its end. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, get, type Wire } from "./wire.ts";

const root = join(import.meta.dirname, "../..");
const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

/** What the handler's `/state` tells. */
export interface State {
  /** The thread that tells, where it is one. */
  readonly thread: number;
  /** Handlers at work, beside those that tell. */
  readonly running: number;
  /** Host timers that are set. */
  readonly timers: number;
  readonly heap: number;
  readonly external: number;
}

export interface ServerOptions {
  /** Flags of `slipway run`. */
  readonly flags?: readonly string[];
  /** `ulimit -n` of the child. */
  readonly descriptors?: number;
  /** Worker threads; none without. */
  readonly parallel?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** MiB that the heap of a thread may have. */
  readonly heap?: number;
}

export class Server {
  readonly port: number;
  readonly pid: number;
  readonly startedIn: number;
  readonly #child: ChildProcess;
  readonly #said: () => string;
  /** A connection to each thread. */
  readonly #controls = new Set<Wire>();
  readonly #threads: number;
  readonly #admin: string;

  private constructor(
    child: ChildProcess,
    port: number,
    startedIn: number,
    said: () => string,
    admin: string,
    threads: number,
  ) {
    this.#admin = admin;
    this.#threads = threads;
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.port = port;
    this.startedIn = startedIn;
    this.#said = said;
  }

  /** Starts it, and waits until it listens. */
  static start({ flags = [], descriptors, parallel = 0, env = {}, heap }: ServerOptions = {}): Promise<Server> {
    const began = performance.now();
    const folder = mkdtempSync(join(tmpdir(), "slipway-soak-"));
    const admin = join(folder, "admin.sock");
    const command = [
      process.execPath,
      "--expose-gc",
      ...(heap === undefined ? [] : [`--max-old-space-size=${heap}`]),
      join(root, "src/cli/main.ts"),
      "run",
      join(root, "scripts/soak/handler.ts"),
      "--host",
      "127.0.0.1",
      "--port",
      "0",
      "--admin",
      `unix:${admin}`,
      ...(parallel === 0 ? [] : ["--parallel", String(parallel)]),
      ...flags,
    ];
    const limited =
      descriptors === undefined ? command : ["sh", "-c", `ulimit -n ${descriptors}; exec "$@"`, "sh", ...command];
    const child = spawn(limited[0], limited.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: root,
      env: { ...process.env, ...env },
    });
    living.add(child);
    child.once("exit", (_code, signal) => {
      if (signal !== null && signal !== "SIGKILL") console.error(`the server died of ${signal}:\n${said.slice(-3000)}`);
      living.delete(child);
      rmSync(folder, { recursive: true, force: true });
    });
    let said = "";
    return new Promise((resolve, reject) => {
      const hear = (text: string): void => {
        said = (said + text).slice(-100_000);
        const port = /http:\/\/[^ ]*:(\d+)/.exec(said);
        if (port === null) return;
        resolve(
          new Server(child, Number(port[1]), performance.now() - began, () => said, admin, Math.max(1, parallel)),
        );
      };
      child.stdout?.setEncoding("utf8").on("data", hear);
      child.stderr?.setEncoding("utf8").on("data", hear);
      child.once("error", reject);
      child.once("exit", (code, signal) => reject(new Error(`the server ended at once (${code ?? signal}):\n${said}`)));
    });
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }
  /** Everything that it has printed, the last 100 kB. */
  get log(): string {
    return this.#said();
  }
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /**
   * The handlers' own account, of all threads together. A connection is kept for it to each thread, opened before any
   * flood.
   */
  async state(collect = false): Promise<State> {
    const told = new Map<number, State>();
    for (const wire of [...this.#controls]) {
      const state = await this.#ask(wire, collect).catch(() => this.#let(wire));
      if (state !== undefined) told.set(state.thread, state);
    }
    // It may have been idle for too long, or its thread has died. Who gets a new connection is the server's choice.
    const superfluous: Wire[] = [];
    for (let tries = 0; told.size < this.#threads; tries++) {
      const wire = await connect(this.port).catch(() => undefined);
      const state = wire && (await this.#ask(wire, collect).catch(() => this.#let(wire)));
      if (wire !== undefined && state !== undefined) {
        if (told.has(state.thread)) superfluous.push(wire);
        else this.#controls.add(wire);
        told.set(state.thread, state);
      }
      if (superfluous.length > 20) this.#let(superfluous.shift());
      if (tries > 20 || state === undefined) await new Promise((resolve) => setTimeout(resolve, 100));
      if (tries > 200) throw new Error(`${told.size} of ${this.#threads} threads answer: ${this.log.slice(-2000)}`);
    }
    for (const wire of superfluous) this.#let(wire);
    const sum = { thread: 0, running: 0, timers: 0, heap: 0, external: 0 };
    for (const { running, timers, heap, external } of told.values()) {
      // One handler is at work: the one that tells.
      sum.running += running - 1;
      sum.timers += timers;
      sum.heap += heap;
      sum.external += external;
    }
    return sum;
  }

  async #ask(wire: Wire, collect: boolean): Promise<State> {
    wire.write(get(collect ? "/state?gc" : "/state"));
    const { status, body } = await wire.answer();
    if (status !== 200) throw new Error(`/state answered ${status}`);
    return JSON.parse(body.toString()) as State;
  }

  #let(wire: Wire | undefined): undefined {
    wire?.socket.destroy();
    if (wire !== undefined) this.#controls.delete(wire);
  }

  /** The same once what is garbage has been collected: finalisers, and what waited for them, need a few rounds. */
  async settled(): Promise<State> {
    for (let rounds = 0; rounds < 4; rounds++) {
      await this.state(true);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return await this.state(true);
  }

  /**
   * How many tasks run, by the admin port's table. A connection of its own each time: it must be let in whatever the
   * public port is at.
   */
  tasks(): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const asked = request({ socketPath: this.#admin, path: "/tasks", headers: { accept: "application/json" }, agent: false, timeout: 30_000 }); // biome-ignore format: one line
    asked.on("error", reject);
    asked.on("timeout", () => asked.destroy(new Error("the admin port did not answer in 30 s")));
    asked.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("error", reject);
      response.on("end", () => {
        try {
          if (response.statusCode !== 200) throw new Error(`the admin port answered ${response.statusCode}: ${text}`);
          const table = JSON.parse(text) as { name: string; count: number }[];
          resolve(table.reduce((sum, { count }) => sum + count, 0));
        } catch (error) {
          reject(error);
        }
      });
    });
    asked.end();
    return promise;
  }

  closeControl(): void {
    for (const wire of this.#controls) this.#let(wire);
  }

  /** How many pieces of memory the process shares with rings of io_uring. */
  ringMappings(): number {
    return readFileSync(`/proc/${this.pid}/maps`, "latin1").split("[io_uring]").length - 1;
  }

  /** Resident bytes. */
  rss(): number {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, "latin1"));
    return Number(match?.[1] ?? 0) * 1024;
  }

  /**
   * The same without what malloc keeps free for later: behind a storm that is most of it, and says nothing of what the
   * process holds.
   */
  async needed(): Promise<number> {
    using wire = await connect(this.port);
    wire.write(get("/trim"));
    await wire.answer();
    return this.rss();
  }

  /** Descriptors of the kind that servers leak: sockets, and all of them. */
  descriptors(): { sockets: number; all: number } {
    const folder = `/proc/${this.pid}/fd`;
    let sockets = 0;
    let all = 0;
    for (const fd of readdirSync(folder)) {
      try {
        if (readlinkSync(join(folder, fd)).startsWith("socket:")) sockets++;
        all++;
      } catch {
        // Closed meanwhile.
      }
    }
    return { sockets, all };
  }

  /**
   * The same without any client but our own connection, once everything that a server starts a little later (the thread
   * that watches for stalls, a second after the first request) has started.
   */
  async bareDescriptors(): Promise<{ sockets: number; all: number }> {
    let last = this.descriptors();
    for (let same = 0, looks = 0; (same < 10 || looks < 20) && looks < 100; looks++) {
      await this.state();
      await new Promise((resolve) => setTimeout(resolve, 100));
      const now = this.descriptors();
      same = now.all === last.all && now.sockets === last.sockets ? same + 1 : 0;
      last = now;
    }
    return last;
  }

  /** CPU seconds used so far, by user and kernel (proc(5), fields 14 and 15 of stat; a tick is 10 ms). */
  cpu(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits for the end, at most so long; then it is killed and the answer is null. */
  async ended(withinMs: number): Promise<number | null> {
    if (!this.alive) return this.#child.exitCode;
    return await new Promise((resolve) => {
      const limit = setTimeout(() => {
        this.#child.kill("SIGKILL");
        resolve(null);
      }, withinMs);
      this.#child.once("exit", (code) => {
        clearTimeout(limit);
        resolve(code);
      });
    });
  }

  /** Whatever was asked of it, it is gone after this. */
  async kill(): Promise<void> {
    this.closeControl();
    if (!this.alive) return;
    this.#child.kill("SIGKILL");
    await this.ended(5000);
  }
}
