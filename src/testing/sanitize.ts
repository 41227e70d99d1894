/**
 * What a test leaves behind, and where that began: `sanitizeOps` looks at timers, calls into the system and tasks,
 * `sanitizeResources` at connections, listeners, files, processes and the like.
 *
 * Three sources: Node's async_hooks tell of everything of Node's that is begun and destroyed; our runtime's `open` and
 * `close` of every socket of ours; and the functions of node:fs that open files of what they gave. All of that begins
 * with the first test that is looked at, so others pay nothing.
 */
import type { AsyncHook } from "node:async_hooks";
import type { Runtime } from "../runtime/turn.ts";
import { authorFrames, placeIn, stackAbove } from "./failure.ts";
import type { Failure } from "./protocol.ts";

export interface Leaks {
  /** What is there now and was not when it began; undefined when nothing is. */
  end(): Promise<Failure | undefined>;
}

/** Something that was begun and has not ended. */
interface Begun {
  readonly order: number;
  readonly kind: "op" | "resource";
  /** `A timer was started in this test, but never completed. …` */
  readonly says: string;
  readonly stack: string;
  /** Timers end when they say, and not a moment later. */
  readonly timer?: boolean;
  /** Asked where nothing tells of its end. */
  readonly alive?: () => boolean;
}

const never = "was started in this test, but never completed.";
const open = "was opened during the test, but not closed during the test.";

/** What async_hooks call things; what is not here ends by itself. */
const asyncTypes: Readonly<Record<string, readonly ["op" | "resource", string]>> = {
  FSREQCALLBACK: ["op", `A file operation ${never} Await it.`],
  FSREQPROMISE: ["op", `A file operation ${never} Await it.`],
  GETADDRINFOREQWRAP: ["op", `A name's resolution ${never} Await it.`],
  GETNAMEINFOREQWRAP: ["op", `An address's resolution ${never} Await it.`],
  QUERYWRAP: ["op", `A query of DNS ${never} Await it.`],
  TCPCONNECTWRAP: ["op", `A connect of node:net ${never} Await it.`],
  PIPECONNECTWRAP: ["op", `A connect of node:net ${never} Await it.`],
  TCPWRAP: ["resource", `A socket of node:net ${open} Call its destroy().`],
  TCPSERVERWRAP: ["resource", `A server of node:net or node:http ${open} Call its close().`],
  PIPESERVERWRAP: ["resource", `A server of node:net or node:http ${open} Call its close().`],
  UDPWRAP: ["resource", `A socket of node:dgram ${open} Call its close().`],
  PROCESSWRAP: [
    "resource",
    "A child process was started during the test, but not closed during the test. Await its status, or kill it and await that.",
  ],
  FSEVENTWRAP: ["resource", `A file watcher ${open} Call its close().`],
  STATWATCHER: ["resource", `A watch of node:fs ${open} Call fs.unwatchFile().`],
  SIGNALWRAP: [
    "resource",
    "A listener of a signal was added during the test, but not removed during the test. Call Deno.removeSignalListener().",
  ],
  WORKER: ["resource", "A worker was started during the test, but not ended during the test. Call its terminate()."],
  MESSAGEPORT: ["resource", `A message port ${open} Call its close().`],
};

const webWorker = /\bsrc\/deno\/worker\.ts/;

/** Of ours, by the file that opened it. */
const sockets: readonly (readonly [RegExp, string])[] = [
  [/\bsrc\/net\/listener\.ts/, `A listener ${open} Close it by calling listener.close(), or shut its server down.`],
  [/\bsrc\/net\/datagram\.ts/, `A socket of datagrams ${open} Close it by calling its close().`],
];
const connection = `A connection ${open} Close it by calling conn.close().`;
/** Connections of servers, which end with their listener, of `fetch`, which keeps them, and those that are being closed. */
const nobodys = /\bsrc\/(?:(?:http|client|websocket|admin)\/|net\/linger\.)/;
const notRead =
  "A response of fetch was received during the test, but its body was neither read nor cancelled. Read it, or await response.body?.cancel().";

const begun = new Map<string, Begun>();
let order = 0;
let hook: AsyncHook | undefined;

/** Ours may close a moment later, as completion kernels do, and a read of a file end: nobody leaks within that. */
const graceMs = 100;

/** Begins to look. */
export async function watchLeaks(ops: boolean, resources: boolean): Promise<Leaks> {
  if (hook === undefined) hook = startHook();
  const [turn, tasks, counters] = await Promise.all([
    import("../runtime/turn.ts"),
    import("../runtime/tasks.ts"),
    import("../client/counters.ts"),
  ]);
  watchSockets(turn.runtime());
  watchFiles();
  if (!callersWatched) watchCallers();
  callersWatched = true;
  unbegun.clear();
  tasks.setTraceTasks(true);
  const from = order;
  const running = new Set(tasks.runningTasks());
  const busy = counters.clientCounters.busy;
  // Said of what only ends a turn after it was told to.
  const look = (): Begun[] => {
    const found = [...begun.values()].filter(
      ({ order: began, kind, alive }) => began >= from && (kind === "op" ? ops : resources) && alive?.() !== false,
    );
    if (ops) {
      for (const task of tasks.runningTasks()) {
        if (running.has(task) || !tasks.startedByGo(task)) continue;
        const at = tasks.taskOrigin(task);
        const says = `The task "${task.name}" ${never} Await task.finished, or cancel it and await that.`;
        found.push({ order, kind: "op", says, stack: at === undefined ? "" : `    at ${at}` });
      }
    }
    const more = counters.clientCounters.busy - busy;
    const unread = [...unbegun].flatMap(([{ body, bodyUsed }, stack]) => (body === null || bodyUsed ? [] : [stack]));
    for (let i = 0; resources && i < more; i++) {
      found.push({ order, kind: "resource", says: notRead, stack: unread[i] ?? "" });
    }
    return found;
  };
  return {
    async end() {
      // Ends are told in a turn of their own.
      for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => ownImmediate(resolve));
      let found = look();
      const until = performance.now() + graceMs;
      while (found.some(({ timer }) => !timer) && performance.now() < until) {
        await new Promise((resolve) => ownTimeout(resolve, 5));
        found = [...found.filter(({ timer }) => timer), ...look().filter(({ timer }) => !timer)];
      }
      return found.length === 0 ? undefined : failureOfLeaks(found);
    },
  };
}

/** Neither a test's fake ones nor ones that are watched. */
const ownTimeout = setTimeout;
const ownImmediate = setImmediate;

function failureOfLeaks(found: readonly Begun[]): Failure {
  const grouped = new Map<string, number>();
  for (const { says, stack } of found) {
    const where = authorFrames(stack).slice(0, 3);
    const text = `  - ${says}${where.map((frame) => `\n      ${frame.trim()}`).join("")}`;
    grouped.set(text, (grouped.get(text) ?? 0) + 1);
  }
  const lines = [...grouped].map(([text, count]) => (count === 1 ? text : text.replace("\n", ` (${count} times)\n`)));
  return { message: `Leaks detected:\n${lines.join("\n")}`, stack: "", at: placeIn(found[0].stack) };
}

function startHook(): AsyncHook {
  const { createHook } = process.getBuiltinModule("node:async_hooks");
  const made = createHook({ init, destroy: ended, trackPromises: false } as Parameters<typeof createHook>[0]);
  return made.enable();
}

function init(id: number, type: string, _trigger: number, resource: object): void {
  if (type === "Timeout") return void timer(id, resource);
  const known = asyncTypes[type];
  if (known === undefined) return;
  const stack = stackAbove(init);
  // What Node does for itself, or we do, is nobody's leak.
  if (authorFrames(stack).length === 0) return;
  // A web worker's, whose thread is started turns later.
  const [kind, says] = type === "MESSAGEPORT" && webWorker.test(stack) ? asyncTypes.WORKER : known;
  begun.set(`async ${id}`, { order: order++, kind, says, stack });
}

function timer(id: number, resource: object & { _repeat?: unknown; _destroyed?: boolean }): void {
  const stack = stackAbove(init);
  if (!startedByAuthor(stack)) return;
  const [what, cure] = resource._repeat ? ["An interval", "clearInterval"] : ["A timer", "clearTimeout"];
  const says = `${what} ${never} This is often caused by not calling \`${cure}\`.`;
  begun.set(`async ${id}`, {
    order: order++,
    kind: "op",
    timer: true,
    says,
    stack,
    alive: () => resource._destroyed !== true,
  });
}

/** The author's line called for a timer itself: neither Node's own code nor ours did. */
function startedByAuthor(stack: string): boolean {
  for (const line of stack.split("\n").slice(1)) {
    if (/\(?node:(?:timers|internal\/(?:timers|async_hooks))/.test(line) || /^ {4}at (?:new )?Timeout\b/.test(line))
      continue;
    return authorFrames(`x\n${line}`).length > 0;
  }
  return false;
}

function ended(id: number): void {
  begun.delete(`async ${id}`);
}

const watched = new WeakSet<Runtime>();

/** Who asked for what is opened turns later: a connection, once its name has an address. */
const callers = new (process.getBuiltinModule("node:async_hooks").AsyncLocalStorage)<string>();
/** Where responses of fetch were asked for, as long as nobody has begun with their bodies. */
const unbegun = new Map<Response, string>();

/** The calls whose sockets are opened in another turn. */
function watchCallers(): void {
  const { Deno, fetch } = globalThis as unknown as { Deno: Record<string, Callable>; fetch: typeof globalThis.fetch };
  for (const name of ["connect", "connectTls"]) {
    const call = Deno[name];
    const named = { [name]: (...args: unknown[]) => callers.run(stackAbove(named[name]), () => call(...args)) };
    Deno[name] = named[name];
  }
  const named = {
    async fetch(...args: Parameters<typeof fetch>): Promise<Response> {
      const stack = stackAbove(named.fetch);
      const response = await fetch(...args);
      unbegun.set(response, stack);
      return response;
    },
  };
  globalThis.fetch = named.fetch;
}

type Callable = (...args: unknown[]) => unknown;

/** Every socket of ours goes through here. */
function watchSockets(rt: Runtime): void {
  if (watched.has(rt)) return;
  watched.add(rt);
  const { open, close } = rt;
  rt.open = (fd, sink, spoke) => {
    const handle = open.call(rt, fd, sink, spoke);
    if (handle >= 0) {
      const here = stackAbove(rt.open);
      const [, opener] = here.split("\n", 2);
      const known = sockets.find(([file]) => file.test(opener))?.[1];
      const says = known ?? (nobodys.test(opener) ? undefined : connection);
      const stack = authorFrames(here).length > 0 ? here : (callers.getStore() ?? here);
      if (says !== undefined) begun.set(`socket ${handle}`, { order: order++, kind: "resource", says, stack });
    }
    return handle;
  };
  // What `connect` opened becomes somebody else's.
  const { setSink } = rt.poller;
  rt.poller.setSink = (handle, sink) => {
    if (begun.has(`socket ${handle}`) && nobodys.test(stackAbove(rt.poller.setSink))) begun.delete(`socket ${handle}`);
    setSink.call(rt.poller, handle, sink);
  };
  rt.close = (handle) => {
    begun.delete(`socket ${handle}`);
    close.call(rt, handle);
  };
}

let callersWatched = false;
let filesWatched = false;

/** What opens files. Whether one is still open is asked of the system. */
function watchFiles(): void {
  if (filesWatched) return;
  filesWatched = true;
  const fs = process.getBuiltinModule("node:fs");
  const { openSync, open: openLater } = fs;
  const { open: openPromised } = fs.promises;
  const opened = (fd: number, stack: string): void => {
    if (authorFrames(stack).length === 0) return;
    const { dev, ino } = fs.fstatSync(fd);
    const alive = (): boolean => {
      try {
        const now = fs.fstatSync(fd);
        return now.ino === ino && now.dev === dev;
      } catch {
        return false;
      }
    };
    begun.set(`file ${fd}`, {
      order: order++,
      kind: "resource",
      says: `A file ${open} Close it by calling file.close().`,
      stack,
      alive,
    });
  };
  fs.openSync = function open(...args) {
    const fd = openSync(...args);
    opened(fd, stackAbove(fs.openSync));
    return fd;
  };
  fs.open = function open(...args: never[]) {
    const stack = stackAbove(fs.open);
    const callback = args.at(-1) as unknown;
    if (typeof callback !== "function") return Reflect.apply(openLater, fs, args);
    const told = (error: unknown, fd: number) => {
      if (error === null) opened(fd, stack);
      callback(error, fd);
    };
    Reflect.apply(openLater, fs, [...args.slice(0, -1), told]);
  } as typeof fs.open;
  fs.promises.open = async function open(...args) {
    const stack = stackAbove(fs.promises.open);
    const handle = await openPromised(...args);
    opened(handle.fd, stack);
    return handle;
  };
  process.getBuiltinModule("node:module").syncBuiltinESMExports();
}
