/**
 * SIGUSR2: another process takes over, and no connection is refused. The command that started this one is run again, be
 * it a newer file by now, and is born with our listening sockets; once it accepts, this one stops accepting, finishes
 * what it has, and ends. If the new one does not come to that, it is ended, and this one goes on as if nothing had been.
 *
 * Listening sockets are shared, not moved: both processes' descriptors name the same queue in the kernel, which never
 * stands without an owner. One that came to us as `fd:3`, from systemd say, is passed on under the same number; the
 * others follow behind, and RESTART says which is which.
 *
 *     old                                   new
 *     spawns, with sockets and a channel →
 *                                       ←   "ready": it accepts; or its end, which is a failure
 *     MAINPID=… to systemd
 *     "go"                              →   speaks to systemd from here on
 *     drains, exits
 *
 * This is not a process manager: there is no second process while all is well, and nobody restarts what crashes. That is
 * systemd's work, or the container's.
 */
import type { Asked } from "../net/handover.ts";
import type { Listener, ListenOptions } from "../net/mod.ts";
import { type Command, firstEnvironment, programNow } from "./command.ts";

/** The variable that tells a new process what it was born with. */
export const RESTART = "SLIPWAY_RESTART";

/** How long a new process may take until it accepts. */
const READY_MS = 60_000;

/** What RESTART holds, as JSON. */
export interface Inheritance {
  /** The descriptor of the channel to the old process. */
  readonly channel: number;
  readonly sockets: readonly { readonly fd: number; readonly key: string; readonly file?: string }[];
  /** What systemd passed, at descriptors 3, 4, …: their number and names, as in LISTEN_FDS and LISTEN_FDNAMES. */
  readonly activated: { readonly count: number; readonly names: string };
}

/** What was asked for, so that the same question gets the same socket. Port 0 is a question like any other. */
export function keyOf(options: ListenOptions): string {
  if (options.transport === "unix") return `unix ${options.path}`;
  return `tcp ${options.hostname ?? "0.0.0.0"} ${Number(options.port)}`;
}

/** Every listening socket that is open, and what was asked for. */
export class OpenSockets {
  readonly #asked = new Map<Listener, Asked>();

  add(asked: Asked, listener: Listener): void {
    for (const known of this.#asked.keys()) if (known.fd < 0) this.#asked.delete(known);
    // One that is handed out by number may be asked for by another name as well (`handover.open`): the number holds.
    if (!this.#asked.has(listener)) this.#asked.set(listener, asked);
  }

  *[Symbol.iterator](): Generator<readonly [Listener, Asked]> {
    for (const [listener, asked] of this.#asked) if (listener.fd >= 0) yield [listener, asked];
  }
}

export interface RestartSettings {
  readonly command: Command;
  readonly sockets: OpenSockets;
  readonly activated: Inheritance["activated"];
  /** Told the new process's id before it may speak for itself. */
  readonly promoted: (pid: number) => void;
  /** Ends the new process, if it is not ready yet. */
  readonly signal: AbortSignal;
}

/** The new process accepts. */
export interface Successor {
  readonly pid: number;
}

/** Starts the successor; resolves once it accepts. Rejects with a sentence when it does not come to that. */
export function startSuccessor(settings: RestartSettings): Promise<Successor> {
  const { spawn } = process.getBuiltinModule("node:child_process");
  const { command, sockets, activated, signal } = settings;
  const { stdio, inheritance, channel } = arrange(sockets, activated);
  const compiled = process.getBuiltinModule("node:sea").isSea();
  const env = firstEnvironment();
  // Named another process; whom they concern now, is said in RESTART.
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "WATCHDOG_PID"]) delete env[name];
  env[RESTART] = JSON.stringify(inheritance);
  const program = programNow(command, env, compiled);
  const { argv0, cwd } = command;
  const child = spawn(program, command.args, { argv0, cwd, env, stdio });
  const end = (): void => void child.kill("SIGKILL");
  process.on("exit", end);
  return new Promise<Successor>((resolve, reject) => {
    const fail = (reason: string): void => {
      clearTimeout(limit);
      process.off("exit", end);
      end();
      reject(new Error(reason));
    };
    const limit = setTimeout(() => fail(`was not ready within ${READY_MS / 1000} s`), READY_MS);
    signal.addEventListener("abort", () => fail("was not wanted any more"), { once: true });
    child.on("error", (error) => fail(`could not be started (${error.message})`));
    child.on("exit", (code, by) => fail(`ended before it was ready (${by ?? `exit code ${code}`})`));
    const talk = child.stdio[channel] as import("node:net").Socket;
    talk.on("error", () => {}); // its end says it all
    talk.once("data", () => {
      const { pid } = child;
      if (pid === undefined) return;
      clearTimeout(limit);
      process.off("exit", end);
      settings.promoted(pid);
      talk.end("go\n");
      child.removeAllListeners("exit");
      child.unref();
      resolve({ pid });
    });
  });
}

type Stdio = import("node:child_process").StdioOptions & unknown[];

function arrange(
  sockets: OpenSockets,
  activated: Inheritance["activated"],
): { stdio: Stdio; inheritance: Inheritance; channel: number } {
  const stdio: ("inherit" | "ignore" | "pipe" | number)[] = ["inherit", "inherit", "inherit"];
  for (let i = 0; i < activated.count; i++) stdio.push(3 + i);
  const others: [Listener, ListenOptions][] = [];
  for (const [listener, asked] of sockets) {
    if (!("fd" in asked)) others.push([listener, asked]);
    else {
      // Up to there nothing is passed: Node leaves such descriptors closed.
      while (stdio.length <= asked.fd) stdio.push("ignore");
      stdio[asked.fd] = listener.fd;
    }
  }
  const passed = others.map(([listener, asked]) => {
    stdio.push(listener.fd);
    const file = asked.transport === "unix" && !/^[@\0]/.test(asked.path) ? asked.path : undefined;
    return { fd: stdio.length - 1, key: keyOf(asked), file };
  });
  stdio.push("pipe");
  const channel = stdio.length - 1;
  return { stdio: stdio as Stdio, inheritance: { channel, sockets: passed, activated }, channel };
}

/** A process that takes over from another: its sockets, and the channel to the old one. */
export class Heir {
  readonly #unclaimed: { readonly fd: number; readonly key: string; readonly file?: string }[];
  readonly #channel: import("node:net").Socket;
  readonly activated: Inheritance["activated"];
  /** What came with us beside what systemd had passed. */
  readonly descriptors: readonly number[];

  constructor(text: string) {
    const { channel, sockets, activated } = JSON.parse(text) as Inheritance;
    this.#unclaimed = sockets.slice();
    this.activated = activated;
    this.descriptors = [channel, ...sockets.map(({ fd }) => fd)];
    const { Socket } = process.getBuiltinModule("node:net");
    this.#channel = new Socket({ fd: channel });
    this.#channel.on("error", () => {}).unref();
  }

  has(options: ListenOptions): boolean {
    return this.#find(options) >= 0;
  }

  /** The socket that was asked for in the same words, once. */
  claim(options: ListenOptions, adopt: (fd: number, file?: string) => Listener): Listener | undefined {
    const index = this.#find(options);
    if (index < 0) return undefined;
    const [{ fd, file }] = this.#unclaimed.splice(index, 1);
    return adopt(fd, file);
  }

  /** Says that we accept; `go` is called when the old process has stepped back, or is gone. */
  ready(closeFd: (fd: number) => void, go: () => void): void {
    // What nobody asked for in this version: else clients would connect to it and wait for ever.
    for (const { fd } of this.#unclaimed.splice(0)) closeFd(fd);
    this.#channel.once("data", () => this.#channel.destroy());
    this.#channel.once("close", go);
    this.#channel.write("ready\n");
    this.#channel.resume();
  }

  #find(options: ListenOptions): number {
    const key = keyOf(options);
    return this.#unclaimed.findIndex((one) => one.key === key);
  }
}

/** Ends this process when nobody else will: what listens is closed, and what runs may finish. */
export function endWithoutSignal(sockets: OpenSockets, withinMs: number): void {
  for (const [listener] of [...sockets]) listener.close();
  setTimeout(() => process.exit(1), withinMs).unref();
}

/** From here on the sockets are another's: no more is accepted, be it that a drain still waits. */
export function stepBack(sockets: OpenSockets): void {
  for (const [listener] of [...sockets]) listener.pauseConnections();
}
