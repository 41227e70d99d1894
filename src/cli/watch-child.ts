/**
 * A child of `run --watch`: runs one version of the program on the parent's listening sockets.
 */
import { handover, inheritedFd, type Stoppable } from "../net/handover.ts";
import { type Listener, type ListenOptions, listenFd } from "../net/mod.ts";
import { shareSockets } from "../net/socket_file.ts";
import { announceOnce } from "../runtime/log.ts";
import { defaultHostname, type ListenAddress } from "./address.ts";
import type { Inspect } from "./dev/inspect-flags.ts";
import type { Drained, RunningApp } from "./ending.ts";
import { die, errorText } from "./errors.ts";
import { outliveOutput, tell as say } from "./output.ts";
import { startProgram } from "./start-program.ts";
import { reportUncaught } from "./uncaught.ts";
import { firstInheritedFd, sameAddress, type ToChild, type ToParent } from "./watch-protocol.ts";

/** `given`: the addresses, as JSON, of the sockets that were inherited. */
export async function runWatchChild(given: string): Promise<void> {
  shareSockets();
  outliveOutput();
  reportUncaught();
  // The parent is gone, however it ended: nobody would ever end us.
  process.on("disconnect", () => process.exit(1));
  // A terminal's Ctrl-C reaches us too, but it is the parent who says when to end.
  process.on("SIGINT", () => {});
  // So does its end, and kill -HUP of the group: what is to be read again is told by message.
  process.on("SIGHUP", () => {});
  const inherited = new Inherited(JSON.parse(given) as ListenAddress[]);
  let app: RunningApp | undefined;
  process.on("message", (message: ToChild) => {
    if (message.type === "load") {
      start(message, inherited).then(
        (started) => (app = started),
        (error) => die(error, "slipway"),
      );
    } else if (message.type === "hangup") {
      process.emit("SIGHUP", "SIGHUP");
    } else if (message.type === "drain") {
      end(app ?? inherited);
    } else {
      void inspector(message.type === "openInspector");
    }
  });
}

/** For a debugger that shows the newest version, there is one port. */
let inspect: Inspect | undefined;

async function inspector(open: boolean): Promise<void> {
  if (inspect === undefined) return;
  const { closeInspector, openInspector } = await import("./dev/inspect.ts");
  try {
    if (open) openInspector({ ...inspect, wait: false });
    else closeInspector();
  } catch (error) {
    say(`${errorText(error, "slipway")}\n`);
  }
  if (!open) tell({ type: "inspectorClosed" });
}

async function start(message: ToChild & { type: "load" }, inherited: Inherited): Promise<RunningApp | undefined> {
  const { bundle, entry, file, args, mode } = message;
  inspect = mode.inspect;
  // A new version accepts already when this one is told to end: nothing is won by accepting beside it.
  const values = { ...message.flags.values, drainDelay: 0 };
  const flags = { ...message.flags, values };
  process.argv = [process.argv[0], entry, ...args];
  // From here on only the program itself keeps this process alive.
  process.channel?.unref();
  let ready = false;
  const { addresses } = inherited;
  let lines: readonly string[] | undefined;
  const announced = new Set(message.announced);
  announceOnce(announced);
  const onReady = (shown?: readonly string[], app?: RunningApp) => {
    const { drainTimeout } = app ?? {};
    if (ready) return;
    tell({ type: "ready", shown, lines, addresses: shown && addresses, drainTimeout, announced: [...announced] });
    // What is told from now on (a certificate was read again) is news each time.
    announceOnce(undefined);
    ready = true;
  };
  inherited.servePrograms(() => onReady());
  const open = (wanted: ListenAddress) => inherited.claim(wanted);
  const app = await startProgram(bundle, { file, program: "slipway", flags, open }, mode, {
    say: (said) => (lines = said),
    onReady,
  });
  onReady();
  return app;
}

function end(app: RunningApp): void {
  const drained = app.drain();
  tell({ type: "stopped" });
  drained.then(
    ({ cut }) => process.exit(cut > 0 ? 1 : 0),
    (error: unknown) => die(error, "slipway"),
  );
}

/** The listening sockets that came with us, and what a program that listens on its own made of them. */
class Inherited implements RunningApp {
  /** Undefined once claimed: a second listener for the same address is another socket. */
  readonly #given: (ListenAddress | undefined)[];
  /** What was claimed. */
  readonly addresses: ListenAddress[] = [];
  readonly #listeners: Listener[] = [];
  readonly #servers: Stoppable[] = [];

  constructor(given: readonly ListenAddress[]) {
    this.#given = given.slice();
  }

  /** The listener for an address; if there is none, the parent is asked to open it and to start us again. */
  claim(address: ListenAddress): Listener {
    const index = this.#given.findIndex((given) => given !== undefined && sameAddress(given, address));
    if (index < 0) {
      // Small messages are with the kernel when send returns (libuv tries to write at once).
      tell({ type: "want", address });
      process.exit(0);
    }
    this.#given[index] = undefined;
    this.addresses.push(address);
    const listener = listenFd(firstInheritedFd + index);
    this.#listeners.push(listener);
    return listener;
  }

  /** Has the program's own `Deno.listen` and `Deno.serve` take the inherited sockets. */
  servePrograms(onListening: () => void): void {
    handover.open = (options) => {
      const listener = this.claim(addressOf(options));
      // A program that accepts at its top level never ends loading: it is ready when it listens. A turn later, since
      // it may open a second listener.
      setImmediate(onListening);
      return listener;
    };
    handover.serving = (server) => void this.#servers.push(server);
  }

  async drain(): Promise<Drained> {
    const ending = this.#servers.map((server) => server.drain());
    for (const listener of this.#listeners) listener.close();
    const drained = await Promise.all(ending);
    // What else the program does, connections of its own `accept` loop say, keeps it alive until the parent's patience
    // ends; when nothing does, it ends by itself.
    if (this.#servers.length === 0) await new Promise<void>((resolve) => process.once("beforeExit", () => resolve()));
    return { cut: drained.reduce((sum, { cut }) => sum + cut, 0) };
  }
}

function addressOf(options: ListenOptions): ListenAddress {
  const fd = options.transport === "unix" ? inheritedFd(options.path) : undefined;
  if (fd !== undefined) return { transport: "fd", fd };
  if (options.transport === "unix") return { transport: "unix", path: options.path };
  return { transport: "tcp", hostname: options.hostname ?? defaultHostname, port: Number(options.port) };
}

function tell(message: ToParent): void {
  process.send?.(message);
}
