/**
 * A child of `run --watch`: runs one version of the program on the parent's listening sockets.
 */
import { loadBundle } from "../bundle/mod.ts";
import { handover, inheritedFd, type Stoppable } from "../net/handover.ts";
import { type Listener, type ListenOptions, listenFd } from "../net/mod.ts";
import { shareSockets } from "../net/socket_file.ts";
import { defaultHostname, type ListenAddress } from "./address.ts";
import type { Drained, RunningApp } from "./ending.ts";
import { die } from "./errors.ts";
import { outliveOutput } from "./output.ts";
import { loadAndStart } from "./start.ts";
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
  const inherited = new Inherited(JSON.parse(given) as ListenAddress[]);
  let app: RunningApp | undefined;
  process.on("message", (message: ToChild) => {
    if (message.type === "load") {
      start(message, inherited).then(
        (started) => (app = started),
        (error) => die(error, "slipway"),
      );
    } else {
      end(app ?? inherited);
    }
  });
}

async function start(message: ToChild & { type: "load" }, inherited: Inherited): Promise<RunningApp | undefined> {
  const { bundle, entry, file, args } = message;
  // A new version accepts already when this one is told to end: nothing is won by accepting beside it.
  const values = { ...message.flags.values, drainDelay: 0 };
  const flags = { ...message.flags, values };
  process.argv = [process.argv[0], entry, ...args];
  // From here on only the program itself keeps this process alive.
  process.channel?.unref();
  let ready = false;
  const { addresses } = inherited;
  const onReady = (shown?: readonly string[], app?: RunningApp) => {
    if (!ready) tell({ type: "ready", shown, addresses: shown && addresses, drainTimeout: app?.drainTimeout });
    ready = true;
  };
  inherited.servePrograms(() => onReady());
  const app = await loadAndStart(() => loadBundle(bundle), {
    file,
    program: "slipway",
    flags,
    bundle,
    open: (wanted) => {
      return inherited.claim(wanted);
    },
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
