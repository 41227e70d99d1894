// One server under test: started on a core of its own, known to answer before
// anything is measured, and ended by pid with all its children.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect, createServer } from "node:net";
import { connect as connectTls } from "node:tls";
import { processTree } from "./cpu.ts";

export interface Server {
  readonly pid: number;
  readonly port: number;
  /** Every process that the server has now, for accounting. */
  readonly pids: readonly number[];
  /** Milliseconds from the start of the process to the first bytes of its first 200. */
  readonly startedIn: number;
  stop(): Promise<void>;
}

/** A server that did not come up; `gist` is what it said of that itself. */
export class ServerError extends Error {
  readonly gist: string;

  constructor(message: string, gist: string) {
    super(message);
    this.gist = gist;
  }
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) kill(child, "SIGKILL");
});

/** Nothing outlives the bench: whatever is still running at its exit, interrupted or not, is ended. */
export function endAtExit(child: ChildProcess): void {
  running.add(child);
  child.once("exit", () => running.delete(child));
  child.once("error", () => running.delete(child));
}

const taskset = ["/usr/bin/taskset", "/bin/taskset"].find(existsSync);

/** The command, on one core only where the system lets us say so. */
export function pinned(command: readonly string[], core: number | null): string[] {
  return core !== null && taskset ? [taskset, "-c", String(core), ...command] : [...command];
}

export function canPin(): boolean {
  return taskset !== undefined;
}

/** A loopback port nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** Starts the command, which is to serve on `port`, and resolves at its first 200. */
export async function startServer(
  command: readonly string[],
  port: number,
  core: number | null,
  tls = false,
): Promise<Server> {
  const [file, ...args] = pinned(command, core);
  const began = performance.now();
  const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
  endAtExit(child);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", (error) => {
      said += error.message;
      resolve();
    });
  });
  const stop = async (): Promise<void> => {
    kill(child, "SIGTERM");
    const timer = setTimeout(() => kill(child, "SIGKILL"), 2000);
    await ended;
    clearTimeout(timer);
  };
  while (!(await answers(port, tls))) {
    if (!running.has(child) || performance.now() - began > 15_000) {
      const why = running.has(child) ? "no 200 within 15 s" : "it ended before its first 200";
      await stop();
      throw new ServerError(`${command.join(" ")}: ${why}; it said: ${gist(said)}`, gist(said));
    }
    // A refused connect costs some 50 µs: once a millisecond keeps both the start figure and the machine honest.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const startedIn = performance.now() - began;
  const pid = child.pid ?? 0;
  const tree = (): readonly number[] => processTree(pid);
  return {
    pid,
    port,
    get pids() {
      return tree();
    },
    startedIn,
    stop,
  };
}

/** The line of an error in what a process said, else its last line. */
function gist(said: string): string {
  const lines = said.trim().split("\n");
  return (lines.find((line) => /error/i.test(line)) ?? lines.at(-1))?.trim() || "nothing";
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  for (const pid of processTree(child.pid)) {
    try {
      process.kill(pid, signal);
    } catch {
      // it has ended already
    }
  }
}

/** Whether somebody answers 200 on the port now; false when nobody accepts. */
function answers(port: number, tls: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    let head = "";
    const ask = (): void => void socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const socket = tls
      ? connectTls({ port, host: "127.0.0.1", timeout: 2000, rejectUnauthorized: false }, ask)
      : connect({ port, host: "127.0.0.1", noDelay: true, timeout: 2000 }, ask);
    socket.setEncoding("latin1").on("data", (text: string) => {
      head += text;
      if (head.length < 12) return;
      resolve(/^HTTP\/1\.[01] 200/.test(head));
      socket.destroy();
    });
    socket.once("timeout", () => socket.destroy());
    socket.once("error", () => {});
    socket.once("close", () => resolve(false));
  });
}
