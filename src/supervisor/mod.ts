/**
 * What a server owes to whoever started it: systemd (sockets, readiness, watchdog), a container runtime (process 1), or
 * a person with `kill -USR2`. `supervise` is called once, before the program is loaded; without a supervisor it costs a
 * look at four variables.
 */
import { handover } from "../net/handover.ts";
import { logEvent, logLine } from "../runtime/log.ts";
import { describe, descriptorOf, type InheritedSocket, listenFds } from "./activation.ts";
import { ownCommand } from "./command.ts";
import { endWithoutSignal, Heir, OpenSockets, RESTART, startSuccessor, stepBack } from "./restart.ts";

export type { InheritedSocket } from "./activation.ts";
export { listenFds } from "./activation.ts";

export interface SuperviseSettings {
  /**
   * Ends this process gracefully once another has taken over; false when it can't. Then the process sends itself
   * SIGTERM, or, where nobody listens to that, closes its listeners and ends when nothing is left to do.
   */
  readonly drain?: () => boolean;
  /** Why SIGUSR2 can't start another process here, as the end of a sentence: "slipway run --watch does so itself". */
  readonly noRestart?: string;
}

export interface Supervised {
  /** The sockets that systemd passed, in the order of its unit. Empty when it passed none. */
  readonly sockets: readonly InheritedSocket[];
  /** The descriptor that `fd:3` or `fd:name` means; throws a TypeError with one sentence. */
  descriptor(text: string): number;
  /** The program's modules have been evaluated. */
  loaded(): void;
  /** Connections are accepted; `shown` is the address, as it was printed. Later calls change nothing. */
  ready(shown?: string): void;
  /** The graceful end begins, and will be over after `withinMs`. */
  stopping(withinMs: number): void;
}

/** A program that never ends loading (it accepts at its top level) is ready so long after it has begun to listen. */
const LISTENS_MS = 1000;
/** What endWithoutSignal gives to what still runs. */
const FINISH_MS = 30_000;

type State = "loading" | "loaded" | "ready" | "restarting" | "stopping" | "replaced";

/** Takes over what the supervisor passed, and answers SIGUSR2 from here on. */
export async function supervise({ drain, noRestart }: SuperviseSettings = {}): Promise<Supervised> {
  const { env } = process;
  const command = ownCommand();
  const sockets = new OpenSockets();
  const inherited = env[RESTART];
  delete env[RESTART];
  const heir = inherited === undefined ? undefined : inherit(inherited);
  const passed = heir?.activated.count ? describe(heir.activated.count, heir.activated.names) : listenFds();
  // What was passed to us goes on to each child of ours, unless told otherwise.
  await closeOnExec([...passed.map(({ fd }) => fd), ...(heir?.descriptors ?? [])]);
  const notifying = env["NOTIFY_SOCKET"] ? await import("./notify.ts") : undefined;
  const settings = notifying?.notifySettings();
  const notifier = notifying && settings && new notifying.Notifier(settings);
  if (process.pid === 1) {
    const init = await import("./init.ts");
    init.obeySignals();
    init.reapOrphans();
  }

  let state: State = "loading";
  let successor = 0;
  /** Ends a successor that is not ready yet. */
  let starting: AbortController | undefined;
  let announced: string | undefined;

  const announce = (): void => {
    if (state !== "ready") return;
    notifier?.say("READY=1", ...(announced === undefined ? [] : [`STATUS=Listening on ${announced}`]));
    notifier?.startPings();
  };
  const supervised: Supervised = {
    sockets: passed,
    descriptor: (text) => descriptorOf(text, passed),
    loaded() {
      if (state === "loading") state = "loaded";
    },
    ready(shown) {
      if (state !== "loading" && state !== "loaded") return;
      state = "ready";
      announced = shown;
      if (heir === undefined) announce();
      else heir.ready(closeFd, announce);
    },
    stopping(withinMs) {
      if (state === "replaced" || state === "stopping") return;
      state = "stopping";
      starting?.abort();
      // Else systemd kills what takes longer than TimeoutStopSec=.
      const extend = Number.isFinite(withinMs) ? [`EXTEND_TIMEOUT_USEC=${Math.ceil(withinMs + 5000) * 1000}`] : [];
      notifier?.say("STOPPING=1", "STATUS=Finishing what runs", ...extend);
    },
  };

  handover.opened = (asked, listener) => {
    sockets.add(asked, listener);
    if (state === "loading") setTimeout(() => state === "loading" && supervised.ready(), LISTENS_MS).unref();
  };
  handover.has = (options) => heir?.has(options) ?? false;
  if (heir !== undefined) {
    handover.open = (options) => heir.claim(options, adopt);
    ({ adoptListener } = await import("../net/listen.ts"));
  }
  process.on("SIGUSR2", () => {
    // A program may use the signal for its own ends.
    if (process.listenerCount("SIGUSR2") > 1) return;
    const refusal = reasonAgainst();
    if (refusal !== undefined) return logLine(`SIGUSR2: no restart: ${refusal}`);
    void restart();
  });

  function reasonAgainst(): string | undefined {
    if (noRestart !== undefined) return noRestart;
    if (process.pid === 1) return "this is process 1, whose end is the container's: start another container instead";
    if (state === "replaced") return `process ${successor} has taken over already`;
    if (state === "stopping") return "this process is about to end";
    if (state === "restarting") return "one is under way";
    if (state !== "ready") return "this process is still starting";
    if (command === undefined) return "the command that started this process is unknown (/proc is not there)";
    return undefined;
  }

  async function restart(): Promise<void> {
    if (command === undefined) return;
    state = "restarting";
    // Loading the class is a tenth of a millisecond, which no start has to wait for.
    const { signal } = (starting = new AbortController());
    try {
      const activated = { count: passed.length, names: passed.map(({ name }) => name).join(":") };
      const promoted = (pid: number): void => notifier?.say(`MAINPID=${pid}`);
      ({ pid: successor } = await startSuccessor({ command, sockets, activated, promoted, signal }));
    } catch (error) {
      if (signal.aborted) return;
      state = "ready";
      logLine(`SIGUSR2: no restart: the new process ${(error as Error).message}; this one goes on`);
      return;
    }
    state = "replaced";
    notifier?.stopPings();
    logEvent("info", `SIGUSR2: process ${successor} has taken over; finishing what runs here`);
    (await import("../net/socket_file.ts")).handOnSocketFiles();
    stepBack(sockets);
    if (drain?.()) return;
    if (process.listenerCount("SIGTERM") > 0) process.kill(process.pid, "SIGTERM");
    else endWithoutSignal(sockets, FINISH_MS);
  }
  return supervised;
}

function inherit(text: string): Heir | undefined {
  try {
    return new Heir(text);
  } catch {
    logLine(`${RESTART} is for a process that takes over from another: what it says is not so, and is ignored`);
    return undefined;
  }
}

let adoptListener: typeof import("../net/listen.ts").adoptListener;
function adopt(fd: number, file?: string): ReturnType<typeof adoptListener> {
  return adoptListener(fd, file);
}

function closeFd(fd: number): void {
  process.getBuiltinModule("node:fs").closeSync(fd);
}

async function closeOnExec(fds: readonly number[]): Promise<void> {
  if (fds.length === 0) return;
  const [{ setNonBlockingCloexec }, { constantsHere }] = await Promise.all([
    import("../../ffi/fcntl.ts"),
    import("../../ffi/constants.ts"),
  ]);
  // One that is closed is found out when it is used.
  for (const fd of fds) setNonBlockingCloexec(constantsHere(), fd);
}
