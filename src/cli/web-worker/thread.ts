/** A web worker's thread: Slipway's globals and a worker's scope, then the program, as in the process's first thread. */
import { parentPort, workerData } from "node:worker_threads";
import { openPoller } from "../../../ffi/poller.ts";
import { lateImports, loadBundle } from "../../bundle/load.ts";
import type { Bundle } from "../../bundle/mod.ts";
import { workerPrograms } from "../../bundle/worker-programs.ts";
import { fireLoad, hasFailed, isHandled, isLoadHandled, placeOf } from "../../deno/global-events.ts";
import { type Frame, workerHost } from "../../deno/worker.ts";
import { installScope, type Scope } from "../../deno/worker-scope.ts";
import { handover } from "../../net/handover.ts";
import { resolve } from "../../options/resolve.ts";
import { noteSockets, sayEnded } from "../../parallel/ending-thread.ts";
import { Holdings, noteHoldings } from "../../parallel/holdings.ts";
import { Owners } from "../../parallel/shared.ts";
import { ownOutput } from "../../parallel/stdio.ts";
import { nameThread } from "../../runtime/stall-clock.ts";
import { making, Runtime } from "../../runtime/turn.ts";
import { drainAll, endOnSignals } from "../ending.ts";
import { stackOf } from "../errors.ts";
import { noteWrites, outliveOutput, tell } from "../output.ts";
import { offerDefaults } from "../plain.ts";
import { environmentLevel } from "../settings.ts";
import { installGlobals, limitRest } from "../start.ts";
import { ENDED, NETWORK, STOP, type ToHost, type ToThread, WATCHED, type WebWorkerData } from "./messages.ts";

/** The table of owners has one number for all that is this thread's. */
const OWN = 1;
/** More descriptors than these are not cleaned up behind a thread that was ended by force. */
const MOST_DESCRIPTORS = 1 << 20;

/** From where we gave the program a message, or called its listener. */
const OURS = /\n {4}at [^\n]*(?:src\/cli\/web-worker\/|src\/deno\/(?:global-events|worker))[\s\S]*/;

const exit = process.exit.bind(process);

/** `part` gives a part of the executable. */
export async function runWebWorker(part?: (id: string, begun: () => void) => Promise<unknown>): Promise<void> {
  const data = (workerData as { web: WebWorkerData }).web;
  const thread = new WebThread(data);
  process.argv = [...data.argv];
  ownOutput(noteWrites());
  outliveOutput();
  nameThread(`worker ${JSON.stringify(data.name)}`);
  const { flags, program } = data;
  workerHost.start = async (...args) => (await import("./host.ts")).startThread(...args, { flags, program });
  await installGlobals();
  const early = resolve([flags, environmentLevel()]);
  limitRest(early);
  await offerDefaults(early, program, undefined, { inThread: true });
  handover.serving = (server) => {
    thread.say({ say: "server" });
    endOnSignals({ drain: () => server.drain() }, program, true);
  };
  const scope = installScope(data);
  try {
    await evaluate(data, scope, part);
    fireLoad();
  } catch (error) {
    if (!isLoadHandled(error)) thread.fail(error, "unhandledRejection");
  }
}

function evaluate(
  { runs }: WebWorkerData,
  { begun }: Scope,
  part?: (id: string, begun: () => void) => Promise<unknown>,
) {
  switch (runs.kind) {
    case "bundle":
      return loadBundle(runs.bundle, undefined, begun);
    case "text":
      return importText(runs.text, begun);
    case "part":
      if (part === undefined) throw new Error("a web worker was started without its program");
      return part(runs.id, begun);
  }
}

/** Node's own loader tells nobody when it has begun: the module's first word does. */
async function importText(text: string, begun: () => void): Promise<void> {
  const { hostImport } = await import("../../bundle/load.ts");
  const key = "slipway: the worker has begun";
  Object.defineProperty(globalThis, Symbol.for(key), { value: begun, configurable: true });
  const first = `globalThis[Symbol.for(${JSON.stringify(key)})]();`;
  await hostImport(`data:text/javascript;base64,${Buffer.from(first + text).toString("base64")}`);
}

class WebThread {
  readonly #data: WebWorkerData;
  readonly #asked = new Map<number, PromiseWithResolvers<Bundle>>();
  #ids = 0;

  constructor(data: WebWorkerData) {
    this.#data = data;
    sayEnded(data.controls[0], ENDED);
    process.on("uncaughtException", (error: unknown, origin: string) => {
      if (isHandled(error, origin)) return;
      // A program with a listener of its own decides for itself, as in Node.
      if (process.listenerCount("uncaughtException") === 1) this.fail(error, origin);
    });
    making.runtime = () => this.#network();
    parentPort?.on("message", (said: ToThread) => this.#told(said));
    parentPort?.unref();
    workerPrograms.bundles = data.bundles;
    if (data.bundler) {
      workerPrograms.bundle = (file) => this.#bundle(file);
      lateImports.bundle = (file, known) => this.#bundle(file, known);
    }
  }

  say(what: ToHost): void {
    parentPort?.postMessage(what);
  }

  /** An error that nobody caught ends the worker; whoever made it hears of it. */
  fail(error: unknown, origin: string): void {
    const promise = origin === "unhandledRejection" ? "(in promise) " : "";
    const { name, port, url } = this.#data;
    tell(`Uncaught (in worker "${name}") ${promise}${stackOf(error).replace(OURS, "")}\n`);
    hasFailed();
    const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const message = `Uncaught ${promise}${said}`;
    port.postMessage({ type: "error", message, fileName: url, ...placeOf(error) } satisfies Frame);
    exit(1);
  }

  #told(said: ToThread): void {
    switch (said.say) {
      case "stop":
        return exit(0);
      case "drain":
        void drainAll(this.#data.program, "the signal").then(({ cut }) => this.say({ say: "drained", cut }));
        return;
      case "bundled": {
        const asked = this.#asked.get(said.id);
        this.#asked.delete(said.id);
        if (said.bundle !== undefined) asked?.resolve(said.bundle);
        else asked?.reject(new TypeError(said.error));
      }
    }
  }

  #bundle(file: string, known?: ReadonlySet<string>): Promise<Bundle> {
    const id = ++this.#ids;
    const asked = Promise.withResolvers<Bundle>();
    this.#asked.set(id, asked);
    this.say({ say: "bundle", id, file, ...(known && { known }) });
    return asked.promise;
  }

  /**
   * A poller whose descriptor others can close, should this thread compute without end as it is to end: epoll's (host.ts).
   * The workers above are told as well: they must not be taken down around this one.
   */
  #network(): Runtime {
    const { controls } = this.#data;
    for (const control of controls) Atomics.store(control, NETWORK, 1);
    if (controls.some((control) => Atomics.load(control, STOP) === 1)) exit(0);
    const owners = new Owners(MOST_DESCRIPTORS);
    const holdings = new Holdings();
    this.say({ say: "network", owners: owners.memory, holdings: holdings.memory });
    noteHoldings(holdings, (fd, own) => owners.set(fd, own ? OWN : 0));
    const rt = new Runtime(openPoller("epoll").poller);
    noteSockets(rt, owners, OWN);
    Atomics.store(controls[0], WATCHED, rt.poller.descriptor + 1);
    return rt;
  }
}
