/**
 * Process 1 of a container has two duties that no other process has.
 *
 * Signals: the kernel gives process 1 none whose action would be the default one (pid_namespaces(7)), so a container
 * that is told to stop while its program still loads, or whose program listens to no signal at all, would be killed after
 * ten seconds. Here the default action is done by hand, as long as nobody else listens.
 *
 * Orphans: a process whose parent ends becomes a child of process 1, and stays a zombie until that one asks how it ended
 * (wait(2)). Node asks for the children that it started, one by one, and only for them. We ask for the others, and for
 * them only: whoever takes the status of one of Node's own leaves a `ChildProcess` that never ends. Node tells of each
 * that this thread starts (diagnostics_channel "child_process"); those of Workers, which it asks for as soon as they
 * end, are told apart by time.
 */
import { readdirSync, readFileSync } from "node:fs";
import { koffi } from "../../ffi/koffi.ts";

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
type Name = keyof typeof SIGNALS;

/** Ends the process at these signals while nobody else listens to them. */
export function obeySignals(exit: (code: number) => void = (code) => process.exit(code)): void {
  for (const name of Object.keys(SIGNALS) as Name[]) {
    const end = (): void => exit(128 + SIGNALS[name]);
    process.on(name, end);
    // The graceful end counts listeners, to leave a program that has its own alone: we are never one beside another.
    // Before Node's own look at it, which then begins to listen anew.
    process.prependListener("newListener", (event, listener) => {
      if (event === name && listener !== end) process.off(name, end);
    });
    process.on("removeListener", (event, listener) => {
      if (event === name && listener !== end && process.listenerCount(name) === 0) process.on(name, end);
    });
  }
}

export interface OrphanSettings {
  /** Whose children are reaped: those of process 1. */
  readonly parent?: number;
  /** How long a process that is not known to be Node's stays a zombie. @default {5000} */
  readonly graceMs?: number;
}

/** Reaps orphans from here on; returns a function that ends it. */
export function reapOrphans({ parent = process.pid, graceMs = 5000 }: OrphanSettings = {}): () => void {
  const { subscribe, unsubscribe } = process.getBuiltinModule("node:diagnostics_channel");
  const own = new Set<import("node:child_process").ChildProcess>();
  const started = (message: unknown): void => {
    own.add((message as { process: import("node:child_process").ChildProcess }).process);
  };
  subscribe("child_process", started);
  const seen = new Map<string, number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = (): void => {
    timer = undefined;
    // Ended as far as Node is concerned, or never started.
    for (const child of own) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) own.delete(child);
    }
    const ours = new Set([...own].map(({ pid }) => pid));
    const now = performance.now();
    const zombies = zombiesOf(parent).filter(({ pid }) => !ours.has(pid));
    for (const key of seen.keys()) if (!zombies.some((zombie) => zombie.key === key)) seen.delete(key);
    for (const { pid, key } of zombies) {
      const since = seen.get(key);
      if (since === undefined) seen.set(key, now);
      else if (now - since >= graceMs && reap(pid)) seen.delete(key);
    }
    if (seen.size > 0) schedule(graceMs);
  };
  const schedule = (inMs: number): void => {
    timer ??= setTimeout(look, inMs);
    timer.unref();
  };
  // Each child that ends says so; Node's own are gone by the time we look.
  const ended = (): void => schedule(Math.min(100, graceMs));
  process.on("SIGCHLD", ended);
  return () => {
    process.off("SIGCHLD", ended);
    unsubscribe("child_process", started);
    clearTimeout(timer);
  };
}

/** The zombies among a process's children, by proc(5): `key` tells a pid's owners apart. */
function zombiesOf(parent: number): { readonly pid: number; readonly key: string }[] {
  const found: { pid: number; key: string }[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${name}/stat`, "latin1");
    } catch {
      continue; // gone
    }
    // The name in parentheses may hold anything: what follows its last ")" is state, ppid, …, start time.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" && Number(fields[1]) === parent)
      found.push({ pid: Number(name), key: `${name} ${fields[19]}` });
  }
  return found;
}

const WNOHANG = 1;
let waitpid: ((pid: number, status: null, options: number) => number) | undefined;

function reap(pid: number): boolean {
  waitpid ??= koffi.load(null).func("waitpid", "int", ["int", "void *", "int"]) as unknown as NonNullable<
    typeof waitpid
  >;
  return waitpid(pid, null, WNOHANG) === pid;
}
